"""Adds up a journal's digests: per outcome over the whole run, and per stretch of time.

Reads each latency text once, in C, and keeps one distribution per outcome; so neither time nor memory grows with the
number of requests.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from chaos.journal.digest import Digest, Key, PairKey, Tally, key_of
from chaos.journal.histogram import Accumulator, decode_cells
from chaos.journal.records import DigestLine


@dataclass(frozen=True, slots=True)
class Stretch:
    """What users saw from `begin` to `end` (seconds since the run began). Latencies in seconds, None without
    requests."""

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

    @property
    def requests(self) -> int:
        return sum(self.counts.values())

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / (self.end - self.begin) if self.end > self.begin else 0.0


class Timeline:
    """Sums of all digest lines pushed so far."""

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []
        self.errors: Counter[str] = Counter()
        self._latency: dict[Key, Accumulator] = {}
        self._due: dict[Key, Accumulator] = {}
        self._pairs: dict[PairKey, list[int]] = {}

    def push(self, line: DigestLine) -> None:
        """Raises ValueError or KeyError when the line's entries are damaged."""
        counts: dict[Key, int] = {}
        whole = Accumulator()
        for entry in line.entries:
            key = key_of(entry)
            counts[key] = counts.get(key, 0) + entry["count"]
            _add(self._latency, key, entry["latency"], whole)
            if entry.get("due") is not None:
                _add(self._due, key, entry["due"])
        for phase, task, route, kind, cells in line.pairs:
            mine = self._pairs.setdefault(PairKey(phase, task, route, kind), [0, 0, 0, 0])
            mine[:] = [old + new for old, new in zip(mine, cells, strict=True)]
        self.errors.update(line.errors)
        self.stretches.append(_stretch(line, counts, whole))

    def digest(self) -> Digest:
        """Everything together."""
        total = Digest()
        for key, latency in self._latency.items():
            due = self._due.get(key)
            total.tallies[key] = Tally(latency.histogram(), None if due is None else due.histogram())
        total.pairs = {pair: list(cells) for pair, cells in self._pairs.items()}
        return total


def _add(totals: dict[Key, Accumulator], key: Key, text: str, whole: Accumulator | None = None) -> None:
    cells, found = decode_cells(text)
    if not found["total"]:
        return
    total = totals.get(key)
    if total is None:
        total = totals[key] = Accumulator()
    low, high = found["min_nonzero_index"], found["max_nonzero_index"]
    total.add_cells(cells, low, high)
    if whole is not None:
        whole.add_cells(cells, low, high)


def _stretch(line: DigestLine, counts: dict[Key, int], whole: Accumulator) -> Stretch:
    quantiles: dict[str, Any] = {}
    if counts:
        p50, p95, p99 = whole.quantiles((0.5, 0.95, 0.99))
        quantiles = {"p50": p50, "p95": p95, "p99": p99}
    return Stretch(
        begin=max(0.0, line.at - line.seconds),
        end=line.at,
        users=line.users,
        cpu=line.cpu,
        counts=counts,
        errors=dict(line.errors),
        late=line.late,
        **quantiles,
    )
