"""Count what requests met by how much those before them had met of late: a deck of cards evens out, dice do not.

Who deals from a shuffled deck, ten hits in each hundred, deals fewer hits after many. That shows in single draws long
before it shows in the counts of whole blocks. Requests are followed in steps of a few, each stream of them (a
connection, or all in the order of sending) with its own level: how many of the last RECENT were hits, older ones
counting less and less. What a step brings is counted by the level before it, so that for each request it was known
beforehand where it would be counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from chaos.protocol.digest import Key
from chaos.protocol.parts import ALL, FORWARDED, RECENT, STEP, Axis, Parts, Turn, draws, total_of

START = 256
"""Requests of a rule before the first is counted: what the share has been so far stands for what is not known of a new
stream."""

FADES = STEP / RECENT
"""The part of the older ones that a step replaces."""

MOST = 100_000
"""Requests of a rule and phase that are followed: by then a deck of a thousand has shown itself, and a long run has
better things to do."""

MOST_KINDS = 1_000
MOST_STREAMS = 4_000
"""Of so many levels are kept; a run of many phases begins anew beyond that."""

Place = tuple[str, str, str]
"""Phase, route, and ALL or FORWARDED: the requests for which the same things are drawn."""


class Outcome(Protocol):
    """One kind of response, as the recorder counts it."""

    @property
    def key(self) -> Key: ...


class Stream:
    """Requests that follow each other: those of a step that is not complete, the hits of each draw among RECENT, and
    how many of these there have been, both with older ones counting less."""

    __slots__ = ("hits", "waiting", "weight")

    def __init__(self) -> None:
        self.waiting: list[Outcome] = []
        self.hits: dict[str, float] = {}
        self.weight = 0.0


class Recent:
    """The streams of one axis. `met` counts what the requests of a place have met so far, in all of its streams.

    A place is followed from when they do not all meet the same: with one destination, every forwarded request goes
    there."""

    def __init__(self, axis: Axis):
        self._axis = axis
        self._drawn: dict[Outcome, dict[Place, frozenset[str]]] = {}
        self._first: dict[Place, frozenset[str]] = {}
        self._met: dict[Place, dict[str, int]] = {}
        self._streams: dict[tuple[int, Place], Stream] = {}

    def add(self, parts: Parts, outcomes: Sequence[Outcome], stream: int = 0) -> None:
        """Count the next requests of a stream. Those without a response are passed over."""
        kinds = dict.fromkeys(outcomes)
        places: dict[Place, set[Outcome]] = {}
        for kind in kinds:
            for place in self._of(kind):
                places.setdefault(place, set()).add(kind)
        for place, members in places.items():
            if self._varies(place, members):
                mine = outcomes if len(members) == len(kinds) else [each for each in outcomes if each in members]
                followed = self._stream(stream, place)
                steps = _take_steps(followed, mine)
                if steps:
                    self._follow(parts, place, steps, followed)

    def _varies(self, place: Place, kinds: set[Outcome]) -> bool:
        """Return whether a place's requests had met different things before these, and are still followed."""
        if place in self._met:
            return self._met[place][ALL] < MOST
        for kind in kinds:
            found = self._of(kind)[place]
            if self._first.setdefault(place, found) != found:
                self._met[place] = {ALL: 0}
                break
        return False

    def _follow(self, parts: Parts, place: Place, steps: list[Outcome], stream: Stream) -> None:
        """Count whole steps. What is known of a draw beforehand comes from steps before these alone."""
        met, before = self._met[place], self._met[place][ALL]
        found = {each: self._of(each)[place] for each in set(steps)}
        for draw in set().union(met, *found.values()) - {ALL}:
            seen = met.get(draw, 0)
            share = seen / before if before >= START else 0.0
            levels = parts.levels.setdefault(Turn(self._axis, *place[:2], draw), {}) if share else {}
            having = {each for each in found if draw in found[each]}
            bits = bytes(map(having.__contains__, steps))
            stream.hits[draw] = _count(levels, bits, stream.hits.get(draw, 0.0), stream.weight, share)
            met[draw] = seen + bits.count(1)
        for _ in range(0, len(steps), STEP):
            stream.weight += STEP - stream.weight * FADES
        met[ALL] += len(steps)

    def _of(self, outcome: Outcome) -> dict[Place, frozenset[str]]:
        """Return what was drawn for a request, by place; nothing is known of one without a response."""
        found = self._drawn.get(outcome)
        if found is None:
            if len(self._drawn) >= MOST_KINDS:
                self._drawn.clear()
            found = self._drawn[outcome] = dict(_drawn(outcome.key))
        return found

    def _stream(self, number: int, place: Place) -> Stream:
        found = self._streams.get((number, place))
        if found is None:
            if len(self._streams) >= MOST_STREAMS:
                self._streams.clear()
            found = self._streams[number, place] = Stream()
        return found


def _drawn(key: Key) -> Iterator[tuple[Place, frozenset[str]]]:
    """Yield what was drawn for a request, of what is drawn for all, and of what is for all that are forwarded."""
    for total in () if key.error else (ALL, FORWARDED) if key.destination else (ALL,):
        yield (key.phase, key.route, total), frozenset(draw for draw in draws(key) if total_of(draw) == total)


def _take_steps(stream: Stream, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Add requests to a stream, and take the steps of it that are complete now."""
    stream.waiting += outcomes
    whole = len(stream.waiting) // STEP * STEP
    steps, stream.waiting = stream.waiting[:whole], stream.waiting[whole:]
    return steps


def _count(levels: dict[int, list[int]], bits: bytes, hits: float, weight: float, share: float) -> float:
    """Count whole steps by the levels before them; what is not known of RECENT requests yet is taken to be like all
    others. Returns the hits after them."""
    for at in range(0, len(bits), STEP):
        k = bits.count(1, at, at + STEP)
        level = round(hits + (RECENT - weight) * share)
        cell = levels.get(level)
        if cell is None:
            levels[level] = [STEP - k, k]
        else:
            cell[0] += STEP - k
            cell[1] += k
        hits += k - hits * FADES
        weight += STEP - weight * FADES
    return hits
