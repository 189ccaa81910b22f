"""The share of requests that were delayed, told from their latencies alone, when the delay is known and nothing else.

Latencies are a mixture: X for a share 1 - w, X + delay for a share w, where X has an unknown distribution F. With G
for what is observed, G(x) = (1 - w) F(x) + w F(x - delay). A share w is possible as long as some F, rising from 0 to 1,
gives a G that the counts allow; all such w are a confidence set (a test inversion; Tamer 2010, "Partial identification
in econometrics"). G is bounded at fixed points by the sequences of `interval`, which hold at every moment together, so
the set does, too. F is never estimated: its bounds at those points are narrowed by the two inequalities and by its
being monotone until they cross (then no F fits) or stay (`_bounds`; arc consistency, Mackworth 1977). What that leaves
open is left open.

Nothing can be said against w = 0: an upstream whose own latencies are G needs no gateway to delay anything. So the set
is given twice: for every F, and for those without two peaks one delay apart (a
mixture of shifts needs some such condition; Hunter, Wang and Hettmansperger 2007, "Inference for mixtures of symmetric
distributions", have another)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from chaos.verify.interval import VAGUE, Interval, interval
from chaos.verify.quantile import Sample

STEPS = 20
"""Points in one delay."""
DELAYS = 10
"""How many delays far F is followed."""
PASSES = 8
"""How often its bounds are narrowed at most; fewer only leave more open."""
COARSEST, FINEST = 1 / 64, 1 / 1024
"""Width of the cells of shares that are tested as one: everywhere, and at the edges of the set."""
PEAK = STEPS // 4
"""Points in a peak, or in the valley between two."""

Bounds = tuple[list[float], list[float]]
"""The least and the greatest value of a distribution function at each point."""


@dataclass(frozen=True, slots=True)
class Delayed:
    """The shares that may have been delayed, ascending and disjoint. `single` are those that are left when the
    undelayed latencies have no two peaks one delay apart."""

    possible: tuple[Interval, ...]
    single: tuple[Interval, ...]


def delayed_shares(latencies: Sample, delay: float, near: float, alpha: float, unknown: int = 0) -> Delayed:
    """Return which shares of the requests may have been delayed by `delay` give or take `near` seconds; both sets hold
    the true share at every moment together with probability 1 - alpha.

    `unknown` further requests have any latency. A delay that is not much longer than `near` allows every share."""
    slack = ceil(near / delay * STEPS - 1e-9)
    if slack > STEPS // 2 or not latencies.n:
        everything = (Interval(0.0, 1.0),)
        return Delayed(everything, everything)
    model = _Model(*_bands(latencies, delay / STEPS, alpha / (2 * STEPS * DELAYS), unknown), slack)
    cells = model.cells()
    return Delayed(_joined([cell for cell, _ in cells]), _joined([cell for cell, single in cells if single]))


def _bands(latencies: Sample, step: float, alpha: float, unknown: int) -> tuple[Bounds, Bounds]:
    """Return the values that G may have at 0, step, 2 step ..., and those of what lies in the peak's width before each.

    Where a bucket holds a point it may lie on either side, and so may what is unknown."""
    sure, maybe = _counts(latencies, step)
    n = latencies.n + unknown
    band = _Band(n, alpha)
    whole = [band(least, most + unknown) for least, most in zip(sure, maybe, strict=True)]
    starts = [max(0, end - PEAK) for end in range(len(sure))]
    inside = [
        band(max(0, sure[end] - maybe[start]), min(n, maybe[end] - sure[start] + unknown))
        for end, start in enumerate(starts)
    ]
    return _ends(whole), _ends(inside)


def _ends(found: Sequence[Interval]) -> Bounds:
    return [each.low for each in found], [each.high for each in found]


def _counts(latencies: Sample, step: float) -> tuple[list[int], list[int]]:
    """Return how many latencies are surely, and how many possibly, at most 0, step, 2 step ..."""
    buckets = latencies.buckets
    sure, maybe = [0], [0]
    below = above = 0
    for point in range(1, STEPS * DELAYS + 1):
        while below < len(buckets) and buckets[below][1] <= point * step:
            below += 1
        while above < len(buckets) and buckets[above][0] < point * step:
            above += 1
        sure.append(latencies.running[below - 1] if below else 0)
        maybe.append(latencies.running[above - 1] if above else 0)
    return sure, maybe


class _Band:
    """The proportions that between `least` and `most` of n allow; the same counts are not worked out twice."""

    def __init__(self, n: int, alpha: float):
        self._n, self._alpha = n, alpha
        self._known: dict[tuple[int, int], Interval] = {}

    def __call__(self, least: int, most: int) -> Interval:
        found = self._known.get((least, most))
        if found is None:
            low, high = (interval(VAGUE, k, self._n, self._alpha) for k in (least, most))
            found = self._known[least, most] = Interval(low.low, high.high)
        return found


@dataclass(frozen=True, slots=True)
class _Model:
    """`whole` bounds G at 0, 1, 2 ... steps, `inside` what lies in the peak's width before; the delay is STEPS of them,
    give or take `slack`."""

    whole: Bounds
    inside: Bounds
    slack: int

    def cells(self) -> list[tuple[Interval, bool]]:
        """Return the cells of shares for which some F fits, ascending, and whether one without two peaks does.

        Only a cell at an edge of what is left is halved, down to the finest: a wide one is never left out wrongly."""
        width = COARSEST
        found = self._fitting([Interval(low * width, (low + 1) * width) for low in range(round(1 / width))])
        while width > FINEST:
            width /= 2
            found = self._halved(found)
        return found

    def _halved(self, cells: list[tuple[Interval, bool]]) -> list[tuple[Interval, bool]]:
        """Return the cells, those halved that have a neighbour which differs."""
        found: list[tuple[Interval, bool]] = []
        for at, (cell, single) in enumerate(cells):
            around = cells[max(0, at - 1) : at + 2]
            inner = cell.low == 0 or (cells[at - 1][0].high == cell.low and at > 0)
            inner = inner and (cell.high == 1 or (at + 1 < len(cells) and cells[at + 1][0].low == cell.high))
            if inner and all(other is single for _, other in around):
                found.append((cell, single))
            else:
                middle = (cell.low + cell.high) / 2
                found += self._fitting([Interval(cell.low, middle), Interval(middle, cell.high)])
        return found

    def _fitting(self, cells: list[Interval]) -> list[tuple[Interval, bool]]:
        bounds = [(cell, self._bounds(cell.low, cell.high)) for cell in cells]
        return [(cell, not self._two_peaks(cell, *found)) for cell, found in bounds if found is not None]

    def _bounds(self, least: float, most: float) -> Bounds | None:
        """Return the values that F may have when the share lies in least..most; None when no F fits.

        (1 - w) F(x) + w F(x - delay) falls with w, because F rises: so it may be at most G with the greatest w, and at
        least G with the least."""
        low, high = [0.0] * len(self.whole[0]), [0.0] + [1.0] * (len(self.whole[0]) - 1)
        for _ in range(PASSES):
            before = sum(high) - sum(low)
            if not (self._forward(low, high, least, most) and self._backward(low, high, least, most)):
                return None
            if before - (sum(high) - sum(low)) < 1e-3:
                break
        return low, high

    def _forward(self, low: list[float], high: list[float], least: float, most: float) -> bool:
        """Narrow the bounds at each point by those one delay before; return whether something is left."""
        early, late = STEPS + self.slack, STEPS - self.slack
        for point in range(1, len(low)):
            floor = max(low[point - 1], low[point])
            if least < 1:
                before = high[point - late] if point > late else 0.0
                floor = max(floor, (self.whole[0][point] - least * before) / (1 - least))
            ceiling = high[point]
            if most < 1:
                before = low[point - early] if point > early else 0.0
                ceiling = min(ceiling, (self.whole[1][point] - most * before) / (1 - most))
            if floor > ceiling:
                return False
            low[point], high[point] = floor, ceiling
        return True

    def _backward(self, low: list[float], high: list[float], least: float, most: float) -> bool:
        """Narrow the bounds at each point by those one delay later; return whether something is left."""
        early, late, last = STEPS + self.slack, STEPS - self.slack, len(low) - 1
        for point in range(last, -1, -1):
            floor, ceiling = low[point], high[point] if point == last else min(high[point], high[point + 1])
            if least > 0 and point + late <= last:
                later = point + late
                floor = max(floor, (self.whole[0][later] - (1 - least) * high[later]) / least)
            if most > 0 and point + early <= last:
                later = point + early
                ceiling = min(ceiling, (self.whole[1][later] - (1 - most) * low[later]) / most)
            if floor > ceiling:
                return False
            low[point], high[point] = floor, ceiling
        return True

    def _two_peaks(self, share: Interval, low: Sequence[float], high: Sequence[float]) -> bool:
        """Return whether every F within the bounds has two peaks one delay apart: two stretches with surely more in
        them than in one of the same length between them."""
        least, most = self._stretches(share, low, high)
        for start in range(len(least) - STEPS):
            smaller = min(least[start], least[start + STEPS])
            if smaller > 0 and smaller > min(most[start + PEAK : start + STEPS - PEAK + 1]):
                return True
        return False

    def _stretches(self, share: Interval, low: Sequence[float], high: Sequence[float]) -> Bounds:
        """Return how much of F lies in the peak's width before each point from the first on: by its bounds, and by what
        of G lies there, of which some may be delayed."""
        least, most = [], []
        for end in range(PEAK, len(low)):
            start = end - PEAK
            before = high[max(0, end - STEPS + self.slack)] - low[max(0, start - STEPS - self.slack)]
            own = min(_undelayed(self.inside[0][end], before, each) for each in (share.low, share.high))
            least.append(max(low[end] - high[start], own))
            all_of_it = self.inside[1][end] / (1 - share.high) if share.high < 1 else 1.0
            most.append(min(high[end] - low[start], all_of_it))
        return least, most


def _undelayed(seen: float, before: float, share: float) -> float:
    """Return what is left for the undelayed of what was seen, when the delayed have as much as they can. It rises or
    falls with the share all the way."""
    return (seen - share * before) / (1 - share) if share < 1 else 0.0


def _joined(cells: Sequence[Interval]) -> tuple[Interval, ...]:
    """Return neighbouring cells as one."""
    found: list[Interval] = []
    for cell in cells:
        if found and found[-1].high == cell.low:
            found[-1] = Interval(found[-1].low, cell.high)
        else:
            found.append(cell)
    return tuple(found)
