"""Recognise delayed requests by their latency, for a gateway that sends no tags."""

from __future__ import annotations

from collections.abc import Callable

from chaos.claims.observations import Observed, Outcome
from chaos.verify.quantile import Sample


def split_by_latency(observed: Observed, concerns: Callable[[Outcome], bool], seconds: float) -> tuple[Sample, Sample]:
    """Return the latencies of delayed requests and of the others. A request counts as delayed if it took longer than
    the quickest one by more than half of the delay, which is `seconds`."""
    everyone = observed.sample(concerns).buckets
    limit = everyone[0][0] + seconds / 2 if everyone else 0.0
    late = Sample(bucket for bucket in everyone if bucket[0] >= limit)
    return late, Sample(bucket for bucket in everyone if bucket[0] < limit)
