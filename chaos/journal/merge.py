"""Add up many digests in their written form: each latency text is decoded once, in C, and never becomes an object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chaos.protocol.digest import MOST_NAMES, OTHERS, Digest, EntryRecord, Key, PairKey, Tally, key_of
from chaos.protocol.histogram import Accumulator, Decoder
from chaos.protocol.parts import Parts


class Merger:
    """The sum of all entries pushed so far; one distribution per key, however many texts there were."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._latency: dict[Key, Accumulator] = {}
        self._due: dict[Key, Accumulator] = {}
        self._pairs: dict[PairKey, list[int]] = {}
        self._parts = Parts()
        self._pending: dict[tuple[str, str], int] = {}
        self._names: set[str] = set()

    def push(
        self,
        entries: Iterable[EntryRecord],
        pairs: Iterable[Iterable[Any]] = (),
        whole: Accumulator | None = None,
        pending: Iterable[Iterable[Any]] = (),
        parts: Mapping[str, Any] | None = None,
        by_task: Callable[[str], Accumulator | None] | None = None,
    ) -> dict[Key, int]:
        """Add entries, pairs, parts and what is pending; latencies are added to `whole` and to what `by_task` has for
        their task, too. Returns the counts of these entries by key.

        Raises ValueError or KeyError when an entry is damaged."""
        counts: dict[Key, int] = {}
        for entry in entries:
            key = key_of(entry)
            key = key._replace(task=self._bounded(key.task))
            counts[key] = counts.get(key, 0) + entry["count"]
            self._add(self._latency, key, entry["latency"], whole, by_task(key.task) if by_task else None)
            due = entry.get("due")
            if due is not None:
                self._add(self._due, key, due)
        for phase, task, route, kind, cells in pairs:
            name = task if task in self._names else OTHERS
            mine = self._pairs.setdefault(PairKey(phase, name, route, kind), [0, 0, 0, 0])
            mine[:] = [old + new for old, new in zip(mine, cells, strict=True)]
        for phase, task, more in pending:
            name = self._bounded(task) if task else task
            self._pending[phase, name] = self._pending.get((phase, name), 0) + more
        self._parts.merge(Parts.of(parts or {}))
        return counts

    def _bounded(self, task: str) -> str:
        """Return the name, or OTHERS once MOST_NAMES other names have been seen: each name costs memory here."""
        if task in self._names:
            return task
        if len(self._names) >= MOST_NAMES:
            return OTHERS
        self._names.add(task)
        return task

    def _add(self, totals: dict[Key, Accumulator], key: Key, text: str, *others: Accumulator | None) -> None:
        decoded = self._decoder.read(text)
        if decoded is None:
            return
        total = totals.get(key)
        if total is None:
            total = totals[key] = Accumulator()
        total.add_cells(decoded)
        for other in others:
            if other is not None:
                other.add_cells(decoded)

    def digest(self) -> Digest:
        """Return the sum as a Digest."""
        total = Digest()
        for key, latency in self._latency.items():
            due = self._due.get(key)
            total.tallies[key] = Tally(latency.histogram(), None if due is None else due.histogram())
        total.pairs = {pair: list(cells) for pair, cells in self._pairs.items()}
        total.parts.merge(self._parts)
        total.pending = dict(self._pending)
        return total
