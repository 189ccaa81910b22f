"""Add up a journal's digests: per outcome over the whole run, and per stretch of time.

Each latency text is decoded once, in C, and one distribution is kept per outcome; so neither time nor memory grows with
the number of requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.journal.merge import Merger
from chaos.journal.records import DigestLine
from chaos.protocol.digest import Digest, Key
from chaos.protocol.histogram import Accumulator

MOST_TIMED = 24
"""How many tasks, the first of a journal, have latencies of their own in each stretch: a sum takes 188 KB."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What users saw from `begin` to `end` (seconds since the run began). Latencies in seconds, None without
    requests; `tasks` has the median and the p99 of each of a journal's first tasks."""

    begin: float
    end: float
    users: int
    cpu: float
    counts: dict[Key, int]
    errors: dict[str, int] = field(default_factory=dict)
    late: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    tasks: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        return sum(self.counts.values())

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / (self.end - self.begin) if self.end > self.begin else 0.0


class Timeline:
    """The sums of all digest lines pushed so far."""

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []
        self._total = Merger()
        self._stretch = Accumulator()
        self._tasks: dict[str, Accumulator] = {}

    def push(self, line: DigestLine) -> None:
        """Add a line. Raises ValueError or KeyError when its entries are damaged."""
        whole = self._stretch
        for each in (whole, *self._tasks.values()):
            each.clear()
        counts = self._total.push(line.entries, line.pairs, whole, line.pending, line.parts, self._of_task)
        if not counts and not line.seconds:
            return  # no request of it has its response yet
        self.stretches.append(_stretch(line, counts, whole, self._tasks))

    def _of_task(self, name: str) -> Accumulator | None:
        """Return the sum of a task's latencies in this stretch; None for tasks beyond MOST_TIMED."""
        if name not in self._tasks and len(self._tasks) < MOST_TIMED:
            self._tasks[name] = Accumulator()
        return self._tasks.get(name)

    def digest(self) -> Digest:
        """Return the sum of all lines."""
        return self._total.digest()


def _stretch(line: DigestLine, counts: dict[Key, int], whole: Accumulator, tasks: Mapping[str, Accumulator]) -> Stretch:
    quantiles: dict[str, Any] = {}
    if counts:
        p50, p95, p99 = whole.quantiles((0.5, 0.95, 0.99))
        quantiles = {"p50": p50, "p95": p95, "p99": p99}
    return Stretch(
        begin=max(0.0, line.at - line.lag - line.seconds),
        end=max(0.0, line.at - line.lag),
        users=line.users,
        cpu=line.cpu,
        counts=counts,
        errors=dict(line.errors),
        late=line.late,
        tasks={name: _median_and_p99(each) for name, each in tasks.items() if not each.empty},
        **quantiles,
    )


def _median_and_p99(latency: Accumulator) -> tuple[float, float]:
    median, p99 = latency.quantiles((0.5, 0.99))
    return median, p99
