"""What one stretch of load looked like to its users: counts and latencies per outcome. Knows no clock and no socket.

A digest's size depends on how many different outcomes there were, never on how many requests. Digests merge: equal keys
add up, in any order and grouping, so the digest of an hour or of a thousand processes is the sum of those of single
seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NotRequired, TypedDict

from chaos.faults import NAMES
from chaos.protocol.histogram import Histogram
from chaos.protocol.parts import Parts

ANY_TASK = ""
"""In `Digest.pending`, the task of a request whose name is known only when its response has come."""

PENDING = "pending"
"""The error of a key that stands for requests which are still in flight."""

UNCLEAR = "unclear"
"""What the load says in a fault's place when a response has no body by which to know an abort, and its head does not
tell either; only of a gateway without tags."""

PASSED = "passed"
"""The check of a response that is what its task expects."""

NO_RESPONSE = "response"
"""The check of a request that had no response, where its task expects something of it."""

TRANSITION = "(transition)"
"""The phase of requests that were under way while the phase changed: no claim is about them."""

BY_HAND = "(faults switched by hand)"
"""The phase of requests that were decided while somebody had faults switched on or off against the phase's own setting:
no claim is about them."""

WARM_UP = "(warm-up)"
"""The phase of requests that were sent before the first phase began: nothing that is said of a run counts them."""

OTHERS = "(others)"
"""The name for all requests beyond `MOST_NAMES` names: a locustfile may put an id into every URL."""

MOST_NAMES = 500
"""How many names a load, and readers of its journal, keep apart besides the experiment's own tasks."""


class Key(NamedTuple):
    """One kind of outcome.

    `status` is HTTP's, or a gRPC call's (chaos/statuses.py). It is 0 when there was no response; `error` is then the
    reason: refused, reset, timeout, closed, malformed.
    `route`, `destination`, `fault` and `attempts` come from the gateway's tags and are empty (1) without them. `fault`
    is empty, one of `chaos.faults.TAGS` (`delay`, `abort`, `delay,abort`) or `UNCLEAR`.

    `check` is empty for a task that expects nothing; else PASSED, or the first part of `expect` that was not met:
    status, body, json, or NO_RESPONSE.

    `policy` names the policies whose faults it met (the tag x-chaos-policy), also of a response that was cut short
    after its head."""

    phase: str
    task: str
    route: str
    destination: str
    status: int
    fault: str = ""
    attempts: int = 1
    error: str = ""
    check: str = ""
    policy: str = ""


class PairKey(NamedTuple):
    """Consecutive requests of one task through one route on one connection, and the kind of fault that they are
    compared by."""

    phase: str
    task: str
    route: str
    kind: str  # a FaultKind


class KeyRecord(TypedDict):
    """The fields of a Key that every record of an outcome has."""

    phase: str
    task: str
    route: str
    destination: str
    status: int
    fault: str
    attempts: int


class EntryRecord(KeyRecord):
    """The journal's form of one outcome: a Key, its count, and its latencies as encoded histograms."""

    error: NotRequired[str]
    check: NotRequired[str]
    policy: NotRequired[str]
    count: int
    latency: str
    due: str | None


@dataclass(slots=True)
class Tally:
    """Latencies since a request was sent, and since it was due (None in a closed model)."""

    latency: Histogram = field(default_factory=Histogram)
    due: Histogram | None = None

    @property
    def count(self) -> int:
        return self.latency.total

    def merge(self, other: Tally) -> None:
        self.latency.merge(other.latency)
        if other.due is not None:
            if self.due is None:
                self.due = Histogram()
            self.due.merge(other.due)


class Digest:
    """Tallies by key.

    `pairs[key]` is [clean-clean, clean-faulted, faulted-clean, faulted-faulted]: in a gateway that draws independently
    for every request, the second of two requests does not depend on the first. `parts` are the counts by user and in
    the order of sending, and of neighbours by their destinations.

    `pending[phase, task]` is by how much the number of requests in flight has grown that were sent no later than those
    counted here: what they will be is unknown. It is negative when such requests have ended, so the sum of all digests
    has those that never did."""

    __slots__ = ("pairs", "parts", "pending", "tallies")

    def __init__(self) -> None:
        self.tallies: dict[Key, Tally] = {}
        self.pairs: dict[PairKey, list[int]] = {}
        self.parts = Parts()
        self.pending: dict[tuple[str, str], int] = {}

    def add(self, key: Key, microseconds: int, due: int | None = None) -> None:
        """Count one request; `due` is its latency from when it should have been sent, in an open model."""
        tally = self.tallies.get(key)
        if tally is None:
            tally = self.tallies[key] = Tally()
        tally.latency.add(microseconds)
        if due is not None:
            if tally.due is None:
                tally.due = Histogram()
            tally.due.add(due)

    def add_pairs(self, before: Key, after: Key, count: int = 1) -> None:
        """Count neighbours on a connection; only those of one phase, task and route are comparable."""
        self.parts.add_turn("connection", before, after, count)
        if before[:3] != after[:3]:
            return
        for kind in NAMES:
            cell = 2 * (kind in before.fault) + (kind in after.fault)
            self.pairs.setdefault(PairKey(after.phase, after.task, after.route, kind), [0, 0, 0, 0])[cell] += count

    def merge(self, other: Digest) -> None:
        for key, tally in other.tallies.items():
            mine = self.tallies.get(key)
            if mine is None:
                mine = self.tallies[key] = Tally()
            mine.merge(tally)
        for pair, cells in other.pairs.items():
            mine_cells = self.pairs.setdefault(pair, [0, 0, 0, 0])
            for cell, count in enumerate(cells):
                mine_cells[cell] += count
        self.parts.merge(other.parts)
        for place, more in other.pending.items():
            self.pending[place] = self.pending.get(place, 0) + more

    def without(self, phase: str) -> Digest:
        """Return it without what belongs to a phase; the same digest if nothing does."""
        if all(where != phase for where, *_ in (*self.tallies, *self.pairs, *self.pending)):
            return self
        made = Digest()
        made.tallies = {key: tally for key, tally in self.tallies.items() if key.phase != phase}
        made.pairs = {pair: cells for pair, cells in self.pairs.items() if pair.phase != phase}
        made.pending = {place: more for place, more in self.pending.items() if place[0] != phase}
        made.parts = self.parts  # of one phase each, and asked for by phase
        return made

    @property
    def count(self) -> int:
        return sum(tally.count for tally in self.tallies.values())

    @property
    def errors(self) -> int:
        """Requests without a response."""
        return sum(tally.count for key, tally in self.tallies.items() if key.error)

    def items(self) -> Iterator[tuple[Key, Tally]]:
        yield from self.tallies.items()

    def entries(self) -> list[EntryRecord]:
        """Return the journal's form of the tallies, in the order of their keys."""
        return list(self.each_entry())

    def each_entry(self) -> Iterator[EntryRecord]:
        """Yield the entries one by one: encoding takes about 0.2 ms each."""
        for key in sorted(self.tallies):
            yield entry_of(key, self.tallies[key])

    def pair_entries(self) -> list[list[Any]]:
        """Return the journal's form of the pairs: `[phase, task, route, kind, [four counts]]`."""
        return [[*pair, list(cells)] for pair, cells in sorted(self.pairs.items())]

    def pending_entries(self) -> list[list[Any]]:
        """Return the journal's form of what is pending: `[phase, task, count]`, without those of 0."""
        return [[phase, task, count] for (phase, task), count in sorted(self.pending.items()) if count]

    @classmethod
    def of(
        cls,
        entries: Iterable[EntryRecord],
        pairs: Iterable[Iterable[Any]] = (),
        pending: Iterable[Iterable[Any]] = (),
        parts: Mapping[str, Any] | None = None,
    ) -> Digest:
        """Read the journal's form. Raises ValueError or KeyError for malformed entries."""
        made = cls()
        for entry in entries:
            due = entry.get("due")
            tally = Tally(Histogram.decode(entry["latency"]), None if due is None else Histogram.decode(due))
            key = key_of(entry)
            if key in made.tallies:
                made.tallies[key].merge(tally)
            else:
                made.tallies[key] = tally
        for phase, task, route, kind, cells in pairs:
            made.pairs[PairKey(phase, task, route, kind)] = [int(count) for count in cells]
        for phase, task, more in pending:
            made.pending[phase, task] = int(more)
        made.parts = Parts.of(parts or {})
        return made

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Digest)
            and (self.tallies, self.pairs, self.parts) == (other.tallies, other.pairs, other.parts)
            and self.pending_entries() == other.pending_entries()
        )

    __hash__ = None  # type: ignore[assignment]


def entry_of(key: Key, tally: Tally) -> EntryRecord:
    """Return the journal's form of one tally; without `error`, `check` and `policy` when there is none."""
    entry = EntryRecord(
        phase=key.phase,
        task=key.task,
        route=key.route,
        destination=key.destination,
        status=key.status,
        fault=key.fault,
        attempts=key.attempts,
        count=tally.count,
        latency=tally.latency.encode(),
        due=None if tally.due is None else tally.due.encode(),
    )
    if key.error:
        entry["error"] = key.error
    if key.check:
        entry["check"] = key.check
    if key.policy:
        entry["policy"] = key.policy
    return entry


def key_of(entry: EntryRecord) -> Key:
    """Return the key of a journal's entry. Raises KeyError for a missing field."""
    return Key(
        phase=entry["phase"],
        task=entry["task"],
        route=entry["route"],
        destination=entry["destination"],
        status=entry["status"],
        fault=entry["fault"],
        attempts=entry["attempts"],
        error=entry.get("error", ""),
        check=entry.get("check", ""),
        policy=entry.get("policy", ""),
    )
