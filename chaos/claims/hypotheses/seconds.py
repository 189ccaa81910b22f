"""The latencies of one measure, second by second, coarsely: how much those of one second are like each other.

Requests of one second meet the same queues, so that they say less than as many independent ones. By how much shows in
the seconds' counts of requests that took at most so long, around the quantile that is asked for."""

from __future__ import annotations

from collections import Counter
from itertools import zip_longest
from math import floor, isinf, log2

from chaos.claims.hypotheses.measure import Measure
from chaos.claims.hypotheses.observed_values import concerns
from chaos.claims.observations import Observations
from chaos.verify.dependence import alike

CELLS = 64
"""Per doubling of the latency."""
MOST = 256
"""So many stretches are kept; when there are more, each two become one."""
LOST = 10**6
"""The cell of requests without a response, which are slower than all others."""


class Seconds:
    """Counts of the measure's latencies by cell, of each second that has any."""

    def __init__(self, measure: Measure):
        self._measure = measure
        self._all: list[Counter[int]] = []
        self._length, self._held = 1, 0  # seconds in each stretch, and in the last one

    def add(self, digest: Observations) -> None:
        """Add one second."""
        counts: Counter[int] = Counter()
        for outcome, measured in digest.items():
            if concerns(self._measure, outcome) and outcome.status:
                for _, high, count in measured.latency.buckets():
                    counts[_cell(high)] += count
            elif concerns(self._measure, outcome):
                counts[LOST] += measured.count
        if counts:
            self._append(counts)

    def _append(self, counts: Counter[int]) -> None:
        if self._held % self._length:
            self._all[-1].update(counts)
        else:
            self._all.append(counts)
        self._held += 1
        if len(self._all) > MOST and self._held % self._length == 0:
            pairs = zip_longest(self._all[::2], self._all[1::2], fillvalue=Counter[int]())
            self._all = [one + other for one, other in pairs]
            self._length *= 2

    def alike(self, quantile: float | None) -> float:
        """Return how many requests count as one independent one where latencies around this one are concerned; inf if
        that is not known yet. `quantile` is in seconds, None if it is beyond all responses."""
        edge = LOST if quantile is None or isinf(quantile) else _cell(quantile)
        whole = self._all[:-1] if self._held % self._length else self._all
        return max(alike([(_at_most(each, limit), each.total()) for each in whole]) for limit in (edge - 1, edge))


def _cell(seconds: float) -> int:
    return LOST if isinf(seconds) else floor(log2(seconds) * CELLS) if seconds > 0 else -LOST


def _at_most(counts: Counter[int], limit: int) -> int:
    return sum(count for cell, count in counts.items() if cell <= limit)
