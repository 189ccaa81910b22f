"""Single requests that stand for the others: some failures of each kind, and the slowest of each task.

Which ones are kept follows from their ids, times and latencies alone, so that what several processes or hours kept
can be merged: of each kind of failure the first few, and those with the smallest ids, which are a fair choice because
an id is a hash; of each phase and task the slowest, those that a rule delayed apart from the others. The number kept
is bounded, however long a run is."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, NotRequired

from chaos.faults import FaultKind
from chaos.protocol.digest import PASSED, Key, KeyRecord
from chaos.statuses import failed

FIRST = 3
"""Failures of a kind that are kept because they came first."""

BY_ID = 5
"""Failures of a kind that are kept for their ids."""

SLOWEST = 5
"""Requests of a phase and task that are kept for their latency."""

MOST_KINDS = 200
"""Kinds of failure, and pairs of phase and task, of which requests are kept: those that are met first."""

MOST_BODY = 300
"""Bytes of a body that are kept."""

_NOTHING, _ANYTHING = "", "\x7f"  # bounds for ids: no id is below the one, every id below the other


class ExemplarRecord(KeyRecord):
    """One request in the journal: `second` is when it was sent, since the load began; `latency` in seconds; `body` the
    first MOST_BODY bytes of the response as text; `reason` why there is no response, or why a locustfile calls it a
    failure; `request` is method and URL where no task has them (a locustfile). The others are a digest's key."""

    id: str
    error: str
    check: str
    second: float
    latency: float
    body: str
    reason: str
    request: str
    policy: NotRequired[str]


class Exemplar(NamedTuple):
    """One request (see ExemplarRecord); `micros` is its latency in microseconds."""

    id: str
    key: Key
    second: float
    micros: int
    body: str = ""
    reason: str = ""
    request: str = ""

    @property
    def failed(self) -> bool:
        return is_failure(self.key)

    def record(self) -> ExemplarRecord:
        """Return the journal's form."""
        key = self.key
        record = ExemplarRecord(
            id=self.id,
            phase=key.phase,
            task=key.task,
            route=key.route,
            destination=key.destination,
            status=key.status,
            fault=key.fault,
            attempts=key.attempts,
            error=key.error,
            check=key.check,
            second=self.second,
            latency=self.micros / 1e6,
            body=self.body,
            reason=self.reason,
            request=self.request,
        )
        if key.policy:
            record["policy"] = key.policy
        return record

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Exemplar:
        """Read the journal's form. Raises KeyError for a missing field."""
        key = Key(*(record[name] for name in Key._fields[:-1]))._replace(policy=record.get("policy", ""))
        micros = round(record["latency"] * 1e6)
        return cls(record["id"], key, record["second"], micros, record["body"], record["reason"], record["request"])


def is_failure(key: Key) -> bool:
    """Return whether an outcome is a failure to its users: not what its task expects, or else an error."""
    return key.check != PASSED if key.check else bool(key.error) or failed(key.status)


class Kind(NamedTuple):
    """Failures that look alike to their users."""

    phase: str
    task: str
    status: int
    fault: str
    error: str
    check: str
    policy: str = ""

    @classmethod
    def of(cls, key: Key) -> Kind:
        return cls(key.phase, key.task, key.status, key.fault, key.error, key.check, key.policy)


class Shelf:
    """The requests that are kept of one kind of failure. One whose id is below `below` would be kept."""

    __slots__ = ("below", "by_id", "first")

    def __init__(self, below: str = _NOTHING):
        self.below = below
        self.first: list[Exemplar] = []
        self.by_id: list[Exemplar] = []

    def add(self, one: Exemplar) -> bool:
        """Keep the request if it belongs here. Returns whether it does."""
        early = _insert(self.first, one, FIRST, _by_second)
        small = bool(one.id) and _insert(self.by_id, one, BY_ID, _identity)
        if len(self.first) == FIRST and len(self.by_id) == BY_ID:
            self.below = self.by_id[-1].id
        return early or small

    def __iter__(self) -> Iterator[Exemplar]:
        yield from {_identity(each): each for each in (*self.first, *self.by_id)}.values()


class Slowest:
    """The slowest requests of one phase and task. One that took longer than `above` microseconds would be kept."""

    __slots__ = ("above", "kept")

    def __init__(self, above: int = -1):
        self.above = above
        self.kept: list[Exemplar] = []

    def add(self, one: Exemplar) -> bool:
        """Keep the request if it is slow enough. Returns whether it is."""
        kept = _insert(self.kept, one, SLOWEST, _by_slowness)
        if len(self.kept) == SLOWEST:
            self.above = self.kept[-1].micros
        return kept


NO_SHELF, NONE_SLOW = Shelf(), Slowest(above=1 << 62)
"""Where nothing is kept."""


class Exemplars:
    """The requests that are kept, and which of them `take` has not returned yet."""

    def __init__(self) -> None:
        self.failures: dict[Kind, Shelf] = {}
        self.slowest: dict[tuple[str, str, bool], Slowest] = {}
        self._fresh: dict[tuple[str, float], Exemplar] = {}

    def shelf_of(self, key: Key) -> Shelf:
        """Return where requests with this outcome are kept if they have failed; else a shelf that keeps nothing."""
        if not is_failure(key):
            return NO_SHELF
        kind = Kind.of(key)
        shelf = self.failures.get(kind)
        if shelf is None:
            if len(self.failures) >= MOST_KINDS:
                return NO_SHELF
            shelf = self.failures[kind] = Shelf(_ANYTHING)
        return shelf

    def slowest_of(self, key: Key) -> Slowest:
        """Return where the slowest requests of this phase and task are kept, those that were delayed apart."""
        place = (key.phase, key.task, FaultKind.DELAY in key.fault.split(","))
        slowest = self.slowest.get(place)
        if slowest is None:
            if len(self.slowest) >= MOST_KINDS:
                return NONE_SLOW
            slowest = self.slowest[place] = Slowest()
        return slowest

    def add(self, one: Exemplar) -> None:
        """Keep a request if it is one that stands for others."""
        shelf, slowest = self.shelf_of(one.key), self.slowest_of(one.key)
        kept = [each.add(one) for each in (shelf, slowest) if each not in (NO_SHELF, NONE_SLOW)]
        if any(kept):
            self._fresh[_identity(one)] = one

    def merge(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add requests in the journal's form. Raises KeyError for a missing field."""
        for record in records:
            self.add(Exemplar.of(record))

    def take(self) -> list[ExemplarRecord]:
        """Return the requests that are kept and were not when this was last called, in the order of their times."""
        fresh, self._fresh = self._fresh, {}
        kept = {_identity(each) for each in self}
        return [each.record() for each in sorted(fresh.values(), key=_by_second) if _identity(each) in kept]

    def __iter__(self) -> Iterator[Exemplar]:
        """Yield the requests that are kept: failures by their kinds, then the slowest, which may be some of them."""
        for shelf in self.failures.values():
            yield from shelf
        for slowest in self.slowest.values():
            yield from slowest.kept


def _identity(one: Exemplar) -> tuple[str, float]:
    """Return what tells it from others, and sorts it by its id."""
    return one.id, one.second


def _by_second(one: Exemplar) -> tuple[float, str]:
    return one.second, one.id


def _by_slowness(one: Exemplar) -> tuple[int, str, float]:
    return -one.micros, one.id, one.second


def _insert(kept: list[Exemplar], one: Exemplar, most: int, order: Any) -> bool:
    """Insert a request in order, unless it is there. Returns whether it is among the first `most`, which stay."""
    if any(_identity(each) == _identity(one) for each in kept):
        return False
    insort(kept, one, key=order)
    dropped = kept[most:]
    del kept[most:]
    return not any(each is one for each in dropped)
