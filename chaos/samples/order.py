"""Follow requests in the order in which they were sent, where a file shows it.

Most files are in the order in which requests ended, in which delayed ones come late. So blocks and neighbours count
only if the times never go back, and nearly never stand still: rows that share a time have no order."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from chaos.protocol.digest import Key
from chaos.protocol.parts import BLOCK, Parts

MOST_TIES = 0.01


class Order:
    """Give each request with its time to `add`; `parts` are the counts at the end."""

    __slots__ = ("_block", "_broken", "_last", "_parts", "_seen", "_ties")

    def __init__(self) -> None:
        self._parts = Parts()
        self._block: list[Key] = []
        self._last: float | None = None
        self._seen = self._ties = 0
        self._broken = False

    def add(self, key: Key, at: float | None) -> None:
        if self._broken:
            return
        if at is None or (self._last is not None and at < self._last):
            self._broken = True
            return
        self._ties += at == self._last
        self._seen += 1
        self._last = at
        self._block.append(key)
        if len(self._block) == BLOCK:
            self._count()

    def _count(self) -> None:
        """Count a block, unless one of its requests has no response: what that one met is unknown, and no evidence."""
        block, self._block = self._block, []
        if any(not key.status for key in block):
            return
        self._parts.add_block(Counter(block).items())
        for (before, after), count in Counter(pairwise(block)).items():
            self._parts.add_turn("sent", before, after, count)

    @property
    def parts(self) -> Parts:
        """The counts by block and neighbour; empty where the order is not known."""
        known = not self._broken and self._ties <= MOST_TIES * self._seen
        return self._parts if known else Parts()
