"""The greatest likelihood of several proportions under a limit on their product, for tests against a whole set.

A test against every truth in a set divides the likelihood of one hypothesis, chosen beforehand, by the greatest in the
set. For each truth in it that is at most a martingale which starts at 1, so that by Ville's inequality it reaches
1/alpha with probability alpha at most, at any moment (Wasserman, Ramdas and Balakrishnan 2020, "Universal inference").
The limit is on a sum of weighted logarithms: `log s4 - log s1 >= log 1.5` says that s4 is 1.5 times s1 or more."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log

from chaos.verify.interval import log_likelihood

Counts = tuple[int, int]
"""k of n."""

HALVINGS = 50


def greatest_likelihood(counts: Sequence[Counts], weights: Sequence[int], least: float) -> float:
    """Return the log of the greatest likelihood among proportions whose weighted logarithms add up to `least` or more.

    Every weight is positive or negative, not 0. Where the counts themselves keep the limit that is their own
    likelihood. Else it is on the limit, at (k + x w) / (n + x w) for a common x > 0 (Lagrange), found by halving."""
    if _product(counts, weights, 0.0) >= least:
        return _likelihood(counts, weights, 0.0)
    low, high = 0.0, _furthest(counts, weights, least)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _product(counts, weights, middle) >= least:
            high = middle
        else:
            low = middle
    return _likelihood(counts, weights, low)  # the limit is just missed there, so that this is never too small


def _furthest(counts: Sequence[Counts], weights: Sequence[int], least: float) -> float:
    """Return an x at which the limit is kept: where the first proportion of negative weight gets to 0, if there is
    one."""
    ends = [k / -weight for (k, _), weight in zip(counts, weights, strict=True) if weight < 0]
    if ends:
        return min(ends)
    x = 1.0
    while _product(counts, weights, x) < least and x < 1e15:
        x *= 2
    return x


def _product(counts: Sequence[Counts], weights: Sequence[int], x: float) -> float:
    """Return the sum of the weighted logarithms. A proportion without counts is whatever is best for it."""
    total = 0.0
    for (k, n), weight in zip(counts, weights, strict=True):
        if n == 0:
            total += 0.0 if weight > 0 else inf
        elif k + x * weight > 0:
            total += weight * log((k + x * weight) / (n + x * weight))
        elif weight < 0:
            return inf
        else:
            return -inf
    return total


def _likelihood(counts: Sequence[Counts], weights: Sequence[int], x: float) -> float:
    return sum(
        log_likelihood(max(0.0, (k + x * weight) / (n + x * weight)), k, n)
        for (k, n), weight in zip(counts, weights, strict=True)
        if n
    )
