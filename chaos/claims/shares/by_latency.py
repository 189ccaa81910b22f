"""Recognise delayed requests by their latency, for a gateway that sends no tags."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chaos.claims.evidence import Evidence
from chaos.verify.mixture import Delayed, delayed_shares
from chaos.verify.quantile import Bucket, Sample

GAP = 0.25
"""Of the delay: so wide a stretch between the delayed and the others is all but empty, or they are not told apart one
by one."""
MOST_ASTRAY = 0.01
"""Of the responses: so many may lie in that stretch, or not be where a delayed one would be. They may be either, and a
verdict holds whatever they were."""
TOLERANCE = 0.05
"""Of the delay."""
LEAST_TOLERANCE = 0.002
"""Seconds. Timers and schedulers are no more exact than this on a busy machine."""
NEWS = 1.1
"""The latencies are looked at again when there are so many times as many, because a look takes 0.1 s."""


def near(seconds: float) -> float:
    """Return by how many seconds a delay may be off."""
    return max(seconds * TOLERANCE, LEAST_TOLERANCE)


@dataclass(frozen=True, slots=True)
class Parts:
    """Latencies on either side of the middle between the quickest one and the same delayed.

    `between` are in the stretch around the middle. `astray` are those and the late ones that are not where the others
    would be, were they delayed: each may have been delayed or not."""

    late: Sample
    rest: Sample
    between: int
    astray: int

    @property
    def n(self) -> int:
        return self.late.n + self.rest.n

    @property
    def apart(self) -> bool:
        """Whether two groups are told apart, whatever they are."""
        return self.between <= MOST_ASTRAY * self.n

    @property
    def clear(self) -> bool:
        """Whether the late ones are the others, delayed."""
        return self.astray <= MOST_ASTRAY * self.n

    @property
    def least(self) -> int:
        """How many were delayed at least; `astray` more at most."""
        late = self.late.n
        return late - min(late, self.astray)


def split_by_latency(latencies: Sample, seconds: float) -> Parts:
    """Return the latencies that are more than half of the delay later than the quickest, and the others."""
    buckets = latencies.buckets
    quickest = buckets[0][0] if buckets else 0.0
    middle, reach = quickest + seconds / 2, seconds * GAP / 2
    late = Sample(bucket for bucket in buckets if bucket[0] >= middle)
    rest = Sample(bucket for bucket in buckets if bucket[0] < middle)
    slowest = max((high for _, high, _ in buckets if high <= middle - reach), default=quickest)
    first, last = quickest + seconds - near(seconds), slowest + seconds + near(seconds)

    def between(bucket: Bucket) -> bool:
        return bucket[1] > middle - reach and bucket[0] < middle + reach

    def strays(bucket: Bucket) -> bool:
        return between(bucket) or (bucket[0] >= middle and (bucket[1] < first or bucket[0] > last))

    return Parts(late, rest, _count(filter(between, buckets)), _count(filter(strays, buckets)))


def possible_shares(evidence: Evidence, latencies: Sample, seconds: float) -> Delayed:
    """Return the shares that may have been delayed by so many seconds, as of the last look that had much news."""
    running = evidence.running
    running.follow(evidence.observed)
    lost = sum(running.lost)
    size, known = running.delayed or (0, None)
    if known is None or latencies.n + lost >= NEWS * size:
        known = delayed_shares(latencies, seconds, near(seconds), evidence.alpha, lost)
        running.delayed = latencies.n + lost, known
    return known


def _count(buckets: Iterable[Bucket]) -> int:
    return sum(count for _, _, count in buckets)
