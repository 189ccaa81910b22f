"""How much more sums of consecutive values scatter than they would if the values did not depend on each other.

Values that come after each other may be alike: a queue that is full stays full for a while. Then n of them say less
than n independent ones. Sums of ever longer stretches show by how much: their variance grows faster than their length
(batch means). The estimate is of the cautious kind: of all lengths the greatest, each from the lower end of what the
number of stretches allows."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt

LEAST = 6
"""Stretches from which a variance is estimated."""


def scatter(values: Sequence[float], length: int, quantile: float) -> float:
    """Return the variance of the sums of `length` consecutive values over `length`, whose mean is 0: an upper estimate.

    `quantile` is the standard normal one of the probability with which it may be too low, negative."""
    count = len(values) // length
    sums = [sum(values[start : start + length]) for start in range(0, count * length, length)]
    return sum(each * each for each in sums) / length / _chi_square(count - 1, quantile)


def _chi_square(freedom: int, quantile: float) -> float:
    """Return a quantile of the chi-square distribution (Wilson and Hilferty 1931)."""
    part = 2 / (9 * freedom)
    return float(freedom * max(0.05, 1 - part + quantile * sqrt(part)) ** 3)


def lengths(count: int, least: int = LEAST) -> list[int]:
    """Return 2, 4, 8 ...: the lengths of which there are at least `least` stretches among so many values."""
    found, length = [], 2
    while count // length >= least:
        found.append(length)
        length *= 2
    return found


CAUTIOUS = -1.64
"""What counts as one is estimated too low in one case of twenty."""
LONG = 8
"""Stretches of more than one second from which it is estimated."""


def alike(seconds: Sequence[tuple[int, int]]) -> float:
    """Return how many requests count as one independent one, from k of n in each second; inf if one second is all.

    The sums of independent requests have a binomial variance; by so much as theirs is greater, at any length, fewer
    requests say as much."""
    return _factor(seconds, CAUTIOUS)


def alike_if_shown(seconds: Sequence[tuple[int, int]]) -> float:
    """Return what `alike` does if the seconds scatter more than independent requests would, by more than chance; 1.0 if
    they do not. For requests that are independent as a rule, of which none should be given away for a suspicion."""
    return max(1.0, _factor(seconds, CAUTIOUS)) if _factor(seconds, -CAUTIOUS) > 1 else 1.0


def alike_in_parts(parts: Sequence[Sequence[tuple[int, int]]], *, shown: bool = False) -> float:
    """Return `alike` (or `alike_if_shown`) of a run in parts that may differ, such as phases: within each of them
    requests are compared with its own share alone, and it counts as its part of the binomial variance does."""
    of_one = alike_if_shown if shown else alike
    each = [(of_one(seconds), _variance(seconds)) for seconds in parts]
    known = [(factor, weight) for factor, weight in each if factor < inf]
    whole = sum(weight for _, weight in known)
    if not whole:
        return 1.0 if known or shown else inf
    return sum(factor * weight for factor, weight in known) / whole


def _factor(seconds: Sequence[tuple[int, int]], quantile: float) -> float:
    """Return the greatest estimate of any length of stretches, at this quantile of what their number allows."""
    total = sum(n for _, n in seconds)
    if len(seconds) < 2 or not total:
        return inf if quantile < 0 else 0.0
    share = sum(k for k, _ in seconds) / total
    binomial = _variance(seconds) / len(seconds)
    if not binomial:
        return 1.0
    gaps = [k - share * n for k, n in seconds]
    widest = max(scatter(gaps, length, quantile) for length in (1, *lengths(len(gaps), LONG)))
    return max(1.0, widest / binomial)


def _variance(seconds: Sequence[tuple[int, int]]) -> float:
    """Return the binomial variance of the hits of all seconds together."""
    hits, total = sum(k for k, _ in seconds), sum(n for _, n in seconds)
    return hits / total * (total - hits) if total else 0.0
