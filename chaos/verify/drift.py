"""Whether a proportion was as claimed all the time, and not only on average.

For every start in a fixed list, the evidence of what came since against the claim's whole range is a martingale (or
less) when the claim is true and constant, and stays 1 until the start. Their weighted mean is one too, so it reaches
1/alpha with probability at most alpha, however often it is checked (an e-process for change detection: Shin, Ramdas
and Rinaldo 2024, "E-detectors: a nonparametric framework for sequential change detection"; the weights as in Shiryaev
and Roberts's mixtures)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, exp, inf, log

from chaos.verify.claim import Claim
from chaos.verify.interval import VAGUE, log_evidence, log_likelihood

GROWTH = 1.2
"""Each start is later than the one before by this factor: 60 of them cover a day of seconds."""

MOST_PLACES = 500
"""Moments at which a change is looked for."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A stretch of the series, from moment `since` to `until`, in which `k` of `n` was seen: not what is claimed of
    every moment."""

    since: float
    until: float
    k: int
    n: int

    @property
    def share(self) -> float:
        return self.k / self.n


def find_drift(series: Sequence[tuple[int, int]], claim: Claim, alpha: float, looked: int = 0) -> Drift | None:
    """Return the stretch that refutes the claim, in a run's (k, n) of each second (or other stretch); None when there
    is none.

    The end of the series is tested, and earlier moments of a geometric list; the first that refutes is returned.
    Moments up to `looked` are skipped, because they have been tested before."""
    totals = _running(series)
    starts = _starts(len(series))
    for until in [*(start for start in starts if start > max(looked, 1)), len(series)]:
        found = _refuted(totals, starts, until, claim, alpha)
        if found is not None:
            return found
    return None


def _refuted(
    totals: Sequence[tuple[int, int]], starts: Sequence[int], until: int, claim: Claim, alpha: float
) -> Drift | None:
    """Return the stretch with the most evidence if what is known at moment `until` refutes the claim, else None."""
    evidence: list[tuple[float, Drift]] = []
    for index, start in enumerate(starts):
        k, n = totals[until][0] - totals[start][0], totals[until][1] - totals[start][1]
        if start < until and n:
            weight = -log((index + 1) * (index + 2))  # these weights sum to 1 however many starts there will be
            evidence.append((weight + against(claim, k, n), Drift(start, until, k, n)))
    best = max((each[0] for each in evidence), default=-inf)
    if best == -inf or best + log(sum(exp(each[0] - best) for each in evidence)) < -log(alpha):
        return None
    return max(evidence, key=lambda each: each[0])[1]


def clearest_change(series: Sequence[tuple[int, int]], claim: Claim) -> tuple[float, Drift | None]:
    """Return how much better (in nats) two or three stretches with a share of their own each fit than one share for the
    whole series, and the stretch that is least as claimed; None without two stretches that have requests."""
    totals = _running(series)
    places = _places(len(series))
    gain, place = _split(totals, 0, len(series), places)
    if place is None:
        return 0.0, None
    halves = [(0, place), (place, len(series))]
    again = [_split(totals, low, high, places) for low, high in halves]
    more, second = max(again, key=lambda each: each[0])
    cuts = sorted({0, place, len(series), *([second] if second is not None and more > 0 else [])})
    stretches = [_stretch(totals, low, high) for low, high in pairwise(cuts)]
    odd = max((each for each in stretches if each.n), key=lambda each: against(claim, each.k, each.n), default=None)
    return gain + max(0.0, more), odd


def _split(totals: Sequence[tuple[int, int]], low: int, high: int, places: Sequence[int]) -> tuple[float, int | None]:
    """Return the best moment to cut a stretch in two, and how much better the two fit, less what choosing costs."""
    inside = [place for place in places if low < place < high]
    if not inside:
        return 0.0, None
    whole = _fit(totals, low, high)
    fits = {place: _fit(totals, low, place) + _fit(totals, place, high) for place in inside}
    best = max(fits, key=fits.__getitem__)
    return fits[best] - whole - log(len(inside)), best


def _fit(totals: Sequence[tuple[int, int]], low: int, high: int) -> float:
    """Return the log likelihood of a stretch with a share of its own, averaged over all shares."""
    found = _stretch(totals, low, high)
    return log_evidence(VAGUE, found.k, found.n) if found.n else 0.0


def _stretch(totals: Sequence[tuple[int, int]], low: int, high: int) -> Drift:
    return Drift(low, high, totals[high][0] - totals[low][0], totals[high][1] - totals[low][1])


def _places(count: int) -> list[int]:
    """Return the moments that may be cuts: all, or MOST_PLACES of many."""
    step = max(1, count // MOST_PLACES)
    return list(range(step, count, step))


def against(claim: Claim, k: int, n: int) -> float:
    """Return the log evidence that k of n did not come from any one proportion that the claim allows."""
    closest = min(claim.high, max(claim.low, k / n))
    likelihood = log_likelihood(closest, k, n)
    return inf if likelihood == -inf else log_evidence(VAGUE, k, n) - likelihood


def _starts(seconds: int) -> list[int]:
    """Return 0, 1, 2, ... then moments ever further apart."""
    found, start = [0], 1
    while start < seconds:
        found.append(start)
        start = max(start + 1, ceil(start * GROWTH))
    return found


def _running(series: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    totals = [(0, 0)]
    for k, n in series:
        totals.append((totals[-1][0] + k, totals[-1][1] + n))
    return totals
