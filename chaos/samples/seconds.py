"""Gather samples second by second, each in the second in which it was sent, in little memory whatever their number.

Rows may come out of order by WINDOW seconds, as those of an access log do, which are written when requests end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from math import floor
from typing import NamedTuple

from chaos.formatting import plain_count
from chaos.protocol.digest import MOST_NAMES, OTHERS, Digest, Key
from chaos.protocol.histogram import Histogram
from chaos.protocol.parts import Parts
from chaos.samples.order import Order
from chaos.samples.source import Batch, Row, Source
from chaos.units import format_duration

WINDOW = 120
"""Seconds. Few clients wait longer for a response, and what is held until then takes memory."""
LONGEST_GAP = 7 * 86_400
MOST_PHASES = 100
NOT_ALL = "not all of the requests have a latency"


@dataclass(frozen=True, slots=True)
class Counted:
    """A number of requests whose latencies are not known."""

    count: int

    @property
    def latency(self) -> Histogram:
        return Histogram()


@dataclass(slots=True)
class Counts:
    """A digest without latencies."""

    tallies: dict[Key, int] = field(default_factory=dict)
    pairs: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    parts: Parts = field(default_factory=Parts)
    pending: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, key: Key, count: int = 1) -> None:
        self.tallies[key] = self.tallies.get(key, 0) + count

    def items(self) -> Iterator[tuple[Key, Counted]]:
        return ((key, Counted(count)) for key, count in self.tallies.items())

    @property
    def count(self) -> int:
        return sum(self.tallies.values())


class Stretch(NamedTuple):
    """Requests sent in `seconds` from `begin` on, which counts from the first stretch of the file."""

    begin: float
    seconds: float
    digest: Digest | Counts


class Gatherer:
    """Gathers one source's samples: `stretches` yields them in the order of time.

    `named` are the tasks that claims name, which are told apart however many others there are. `tasks` and `phases` are
    the names that were seen, `order` what is known of the order of sending; `since` is when the first request was sent,
    in the file's own time."""

    def __init__(self, source: Source, named: Collection[str] = ()):
        self._source = source
        self._named = set(named)
        self.tasks: dict[str, None] = {}
        self.phases: dict[str, None] = {}
        self.order = Order()
        self.since: float | None = None
        self.requests = 0
        self._open: dict[int, Digest | Counts] = {}
        self._newest: float | None = None
        self._until: float = 0.0  # the end of what has been yielded
        self._timed: bool | None = None

    def stretches(self) -> Iterator[Stretch]:
        """Yield the stretches; empty seconds between others are one. Raises InvalidInput for rows that are too far out
        of order."""
        for item in self._source.items:
            if isinstance(item, Batch):
                yield from self._batch(item)
            else:
                yield from self._row(item)
        yield from self._close(None)

    # ------------------------------------------------------------------ requests

    def _row(self, row: Row) -> Iterable[Stretch]:
        key = Key(self._phase(row.phase), self._task(row.task), "", "", row.status, row.fault, error=row.error)
        if self._timed is None:
            self._timed = row.at is not None
        elif self._timed != (row.at is not None):
            raise self._source.problem("some requests have a time, and some have none")
        self.order.add(key, row.at)
        self.requests += 1
        second = 0
        done: tuple[Stretch, ...] = ()
        if row.at is not None:
            second, done = floor(row.at), self._advance(row.at)
        digest = self._open.get(second)
        if digest is None:
            digest = self._open[second] = Counts() if row.latency is None else Digest()
        if isinstance(digest, Counts):
            digest.add(key)
        elif row.latency is None:
            self._source.unknown["latency"] = NOT_ALL
            digest.add(key, 0)
        else:
            digest.add(key, row.latency)
        return done

    def _advance(self, at: float) -> tuple[Stretch, ...]:
        """Note the time of one more request, and return what is complete by it."""
        if self._newest is None:
            self._newest = at
            return ()
        if at < self._newest - WINDOW:
            raise self._source.problem(
                f"its request was sent {format_duration(round(self._newest - at))} before one of an earlier row; sort "
                "the file by time"
            )
        if at <= self._newest:
            return ()
        if at - self._newest > LONGEST_GAP:
            days = plain_count(round((at - self._newest) / 86_400))
            raise self._source.problem(f"its request was sent {days} days after all before it; is it of this run?")
        whole = floor(at) > floor(self._newest)
        self._newest = at
        return tuple(self._close(floor(at) - WINDOW)) if whole else ()

    def _close(self, before: int | None) -> Iterator[Stretch]:
        """Yield the open seconds before this one (None: all)."""
        for second in sorted(self._open):
            if before is not None and second >= before:
                return
            yield from self._stretch(float(second), 1.0, self._open.pop(second))

    # ------------------------------------------------------------------ counts

    def _batch(self, batch: Batch) -> Iterator[Stretch]:
        counts = Counts()
        for key, count in batch.counts.items():
            counts.add(key._replace(phase=self._phase(key.phase), task=self._task(key.task)), count)
        self.requests += counts.count
        self.order.add(Key("", "", "", "", 0), None)
        yield from self._stretch(0.0 if batch.at is None else batch.at, batch.seconds, counts)

    # ------------------------------------------------------------------ both

    def _stretch(self, begin: float, seconds: float, digest: Digest | Counts) -> Iterator[Stretch]:
        if self.since is None:
            self.since, self._until = begin, 0.0
        at = begin - self.since
        if at > self._until:
            yield Stretch(self._until, at - self._until, Counts())
        yield Stretch(at, seconds, digest)
        self._until = at + seconds

    def _task(self, name: str) -> str:
        if name in self.tasks:
            return name
        if len(self.tasks) >= MOST_NAMES and name not in self._named:
            return OTHERS
        self.tasks[name] = None
        return name

    def _phase(self, name: str) -> str:
        if name not in self.phases:
            if len(self.phases) >= MOST_PHASES:
                raise self._source.problem(f"more than {MOST_PHASES} phases; is that the column of the phase?")
            self.phases[name] = None
        return name
