"""What one measure counts, second by second, coarsely: how much the requests of one second are like each other.

Requests of one second meet the same queues, so that they say less than as many independent ones. By how much shows in
the seconds' counts: of requests that took at most so long, around the quantile that is asked for, or of those that a
share counts."""

from __future__ import annotations

from collections import Counter
from itertools import zip_longest
from math import floor, isinf, log2

from chaos.claims.hypotheses.measure import Measure
from chaos.claims.hypotheses.observed_values import SHARES, concerns, has
from chaos.claims.observations import Measured, Observations, Outcome
from chaos.verify.dependence import alike_in_parts

CELLS = 64
"""Per doubling of the latency."""
MOST = 256
"""So many stretches are kept; when there are more, each two become one."""
LOST = 10**6
"""The cell of requests without a response, which are slower than all others."""
HAS = 0
"""The cell of requests that a share counts; the others are in the next."""


def has_seconds(measure: Measure) -> bool:
    """Return whether each response alone says what it means for the measure: for quantiles and plain shares."""
    return measure.unit == "seconds" or measure.metric in SHARES or measure.metric == "status"


class Seconds:
    """Counts of a measure's requests by cell, of each second that has any, phase by phase, because phases are meant to
    differ: by latency for a quantile, HAS or not for a share."""

    def __init__(self, measure: Measure):
        self._measure = measure
        self._phases: dict[str, _Stretches] = {}

    def add(self, digest: Observations) -> None:
        """Add one second."""
        found: dict[str, Counter[int]] = {}
        for outcome, measured in digest.items():
            if concerns(self._measure, outcome):
                self._count(found.setdefault(outcome.phase, Counter()), outcome, measured)
        for phase, counts in found.items():
            self._phases.setdefault(phase, _Stretches()).append(counts)

    def _count(self, counts: Counter[int], outcome: Outcome, measured: Measured) -> None:
        if self._measure.unit == "share":
            counts[HAS if has(self._measure, outcome) else HAS + 1] += measured.count
        elif not outcome.status:
            counts[LOST] += measured.count
        else:
            for _, high, count in measured.latency.buckets():
                counts[_cell(high)] += count

    def alike(self, quantile: float | None) -> float:
        """Return how many requests count as one independent one where latencies around this one are concerned; inf if
        that is not known yet. `quantile` is in seconds, None if it is beyond all responses."""
        edge = LOST if quantile is None or isinf(quantile) else _cell(quantile)
        return max(alike_in_parts(self._at_most(limit)) for limit in (edge - 1, edge))

    def alike_in_share(self) -> float:
        """Return how many requests count as one independent one where the share is concerned: 1.0 unless it is plain
        that they depend on each other."""
        return alike_in_parts(self._at_most(HAS), shown=True)

    def _at_most(self, limit: int) -> list[list[tuple[int, int]]]:
        """Return k of n of each second, of each phase: the requests whose cell is not beyond the limit."""
        return [
            [(sum(count for cell, count in each.items() if cell <= limit), each.total()) for each in stretches.whole()]
            for stretches in self._phases.values()
        ]


class _Stretches:
    """The counts of one phase. When there are more than MOST, each two become one."""

    def __init__(self) -> None:
        self.all: list[Counter[int]] = []
        self._length, self._held = 1, 0  # seconds in each stretch, and in all

    def append(self, counts: Counter[int]) -> None:
        if self._held % self._length:
            self.all[-1].update(counts)
        else:
            self.all.append(counts)
        self._held += 1
        if len(self.all) > MOST and self._held % self._length == 0:
            pairs = zip_longest(self.all[::2], self.all[1::2], fillvalue=Counter[int]())
            self.all = [one + other for one, other in pairs]
            self._length *= 2

    def whole(self) -> list[Counter[int]]:
        """Return those that are as long as they will be."""
        return self.all[:-1] if self._held % self._length else self.all


def _cell(seconds: float) -> int:
    return LOST if isinf(seconds) else floor(log2(seconds) * CELLS) if seconds > 0 else -LOST
