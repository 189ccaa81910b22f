"""What happened in a load, in one process or in several, since it was asked last. Does not import Locust."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from chaos.protocol.digest import Digest
from chaos.protocol.exemplars import ExemplarRecord


@dataclass(slots=True)
class Report:
    """What happened since the last report. `cpu` is the share of a core; `share` is the share of requests that are
    sampled; `held` counts responses, by phase and task, that have come and are in no digest yet. What was sent before
    `told_until` (perf_counter's value) has been reported, None if that is not known."""

    digest: Digest = field(default_factory=Digest)
    users: int = 0
    cpu: float = 0.0
    late: int = 0
    samples: list[list[object]] = field(default_factory=list)
    exemplars: list[ExemplarRecord] = field(default_factory=list)
    share: float = 0.0
    abandoned: int = 0
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    told_until: float | None = None
