"""Keep what became of requests in the order in which they were sent, until it is known of a whole block of them.

Blocks are counted in their order, each when it and all before it are complete. So which blocks are counted does not
depend on what their requests met: delayed ones come late, and a block with few of them is not counted the sooner."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Protocol

from chaos.load.recent import Recent
from chaos.protocol.digest import Key
from chaos.protocol.parts import BLOCK, Parts

MOST_OPEN = 200_000  # requests that are kept for a block that is not complete


class Outcome(Protocol):
    """One kind of response, as the recorder counts it."""

    @property
    def key(self) -> Key: ...


class Order:
    """The requests of one load process, which sends every `step`-th number of the run from `first` on.

    `placed[number]` is what became of a request; None if nobody waited for it. It is filled for every request, so its
    filling is one assignment, and blocks are looked for when the counts are taken."""

    __slots__ = ("_first", "_recent", "_step", "placed")

    def __init__(self, first: int = 0, step: int = 1):
        self._first, self._step = first, step
        self._recent = Recent("sent")
        self.placed: dict[int, Outcome | None] = {}

    def take(self) -> Parts:
        """Return the counts of the blocks that have become complete since the last call, without those in which a
        request has no response: what that one met is unknown, and no evidence."""
        made, placed = Parts(), self.placed
        while all(map(placed.__contains__, numbers := self._block())):
            outcomes = [placed.pop(number) for number in numbers]
            known = [outcome for outcome in outcomes if outcome is not None]
            if len(known) == BLOCK and not any(outcome.key.error for outcome in set(known)):
                _add(made, known)
                self._recent.add(made, known)
            self._first = numbers.stop
        while len(placed) > MOST_OPEN:
            self._skip()
        return made

    def _skip(self) -> None:
        """Leave the first block out: a locustfile may never say what became of a request."""
        numbers = self._block()
        for number in numbers:
            self.placed.pop(number, None)
        self._first = numbers.stop

    def _block(self) -> range:
        return range(self._first, self._first + BLOCK * self._step, self._step)


def _add(parts: Parts, outcomes: list[Outcome]) -> None:
    """Count a block; all of it has a response."""
    parts.add_block((outcome.key, count) for outcome, count in Counter(outcomes).items())
    for (before, after), count in Counter(pairwise(outcomes)).items():
        parts.add_turn("sent", before.key, after.key, count)
