"""Counts by part: of single users, and of requests in the order in which they were sent. Knows no clock and no socket.

A share may be right on average and wrong for each user, or in every moment; these counts show it. Their size depends on
how many kinds of outcome there were, never on how many requests, and equal keys add up.

What is drawn for a request has a name each (`draws`): the kinds of fault it met, and `to DESTINATION`. In counts of
these, the rows ALL and FORWARDED have the number of all requests, and of those that went to any destination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from chaos.faults import FaultKind

MOST_USERS = 64
"""How many users are counted one by one. Where they differ, so many show it."""

BLOCK = 128
"""Requests in a block. A shuffled deck of 100 is found in 3 000 to 6 500 requests, with blocks of 256 in 3 500 to
8 000: larger ones are fewer, and in smaller ones it counts how requests overtake each other at the ends."""

RECENT, STEP = 256, 8
"""By how many hits among the last RECENT requests what follows them is counted, a STEP of them at a time. With 128 a
deck of 200 takes a tenth more requests; with steps of 16 decks of ten hardly show."""

LOST = "lost"
"""What stands in a fault's place for a user's requests without a response."""

ALL, FORWARDED = "", "to"
_OF_FORWARDED = frozenset((FORWARDED, *(kind.value for kind in FaultKind if kind.of_forwarded)))

Axis = Literal["connection", "sent"]
"""Which request another one follows: on its connection, or in the order in which the load sent them."""


class Outcome(Protocol):
    """What is read of a digest's key."""

    @property
    def phase(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def destination(self) -> str: ...
    @property
    def fault(self) -> str: ...
    @property
    def error(self) -> str: ...


class Met(NamedTuple):
    """What requests met on their way; `fault` is LOST for those without a response."""

    phase: str
    route: str
    fault: str
    destination: str


class Drawn(NamedTuple):
    """One thing that is drawn for the requests of one phase that take one route."""

    phase: str
    route: str
    draw: str


class Turn(NamedTuple):
    """Consecutive requests of one phase through one route, compared by one thing that is drawn."""

    axis: Axis
    phase: str
    route: str
    draw: str


@dataclass(slots=True)
class Parts:
    """`users[met][user]` requests; `blocks[drawn][k, n]` blocks with k hits among n requests, without those that have
    no hit; `turns[turn]` is [all, miss-hit, hit-miss, hit-hit], of which ALL and FORWARDED have the first alone, and
    the others all but the first; `levels[turn][level]` is [misses, hits] of requests before which about `level` among
    RECENT were hits, older ones counting less."""

    users: dict[Met, dict[int, int]] = field(default_factory=dict)
    blocks: dict[Drawn, dict[tuple[int, int], int]] = field(default_factory=dict)
    turns: dict[Turn, list[int]] = field(default_factory=dict)
    levels: dict[Turn, dict[int, list[int]]] = field(default_factory=dict)

    def add_user(self, outcome: Outcome, user: int, count: int = 1) -> None:
        """Count a user's requests."""
        fault = LOST if outcome.error else outcome.fault
        mine = self.users.setdefault(Met(outcome.phase, outcome.route, fault, outcome.destination), {})
        mine[user] = mine.get(user, 0) + count

    def add_block(self, outcomes: Iterable[tuple[Outcome, int]]) -> None:
        """Count a block of requests that were sent one after the other; all have a response."""
        for place, counts in _by_draw(outcomes).items():
            for draw, k in counts.items():
                n = counts[total_of(draw)]
                if n:
                    self._add_block(Drawn(*place, draw), (0 if draw in (ALL, FORWARDED) else k, n))

    def add_turn(self, axis: Axis, before: Outcome, after: Outcome, count: int = 1) -> None:
        """Count neighbours; only those of one phase and route are comparable."""
        if before.error or after.error or (before.phase, before.route) != (after.phase, after.route):
            return
        totals = [ALL, FORWARDED] if before.destination and after.destination else [ALL]
        for draw in totals:
            self._cells(axis, after, draw)[0] += count
        first, second = draws(before), draws(after)
        for draw in first | second:
            if total_of(draw) in totals:
                self._cells(axis, after, draw)[2 * (draw in first) + (draw in second)] += count

    def cells(self, turn: Turn) -> list[int]:
        """Return [miss-miss, miss-hit, hit-miss, hit-hit] of neighbours."""
        total = self.turns.get(turn._replace(draw=total_of(turn.draw)), [0])[0]
        found = self.turns.get(turn, [0, 0, 0, 0])[1:]
        return [total - sum(found), *found]

    def of_blocks(self, drawn: Drawn) -> dict[tuple[int, int], int]:
        """Return how many blocks had k hits among n requests, those without a hit too."""
        found = dict(self.blocks.get(drawn, {}))
        for (_, n), count in self.blocks.get(drawn._replace(draw=total_of(drawn.draw)), {}).items():
            without = count - sum(each for (_, size), each in found.items() if size == n)
            if without:
                found[0, n] = without
        return found

    def merge(self, other: Parts) -> None:
        for met, users in other.users.items():
            _add(self.users.setdefault(met, {}), users)
        for drawn, blocks in other.blocks.items():
            _add(self.blocks.setdefault(drawn, {}), blocks)
        for turn, cells in other.turns.items():
            mine = self.turns.setdefault(turn, [0, 0, 0, 0])
            mine[:] = [a + b for a, b in zip(mine, cells, strict=True)]
        for turn, levels in other.levels.items():
            ours = self.levels.setdefault(turn, {})
            for level, (misses, hits) in levels.items():
                before = ours.get(level, (0, 0))
                ours[level] = [before[0] + misses, before[1] + hits]

    def record(self) -> dict[str, Any]:
        """Return the journal's form; empty if nothing was counted."""
        found = {
            "users": [[*met, sorted(map(list, users.items()))] for met, users in sorted(self.users.items())],
            "blocks": [
                [*drawn, sorted([k, n, count] for (k, n), count in blocks.items())]
                for drawn, blocks in sorted(self.blocks.items())
            ],
            "turns": [[*turn, list(cells)] for turn, cells in sorted(self.turns.items())],
            "levels": [
                [*turn, [[level, *cells] for level, cells in sorted(levels.items())]]
                for turn, levels in sorted(self.levels.items())
            ],
        }
        return {name: rows for name, rows in found.items() if rows}

    @classmethod
    def of(cls, record: Mapping[str, Iterable[Any]]) -> Parts:
        """Read the journal's form. Raises ValueError for malformed rows."""
        made = cls()
        for *met, users in record.get("users", ()):
            made.users[Met(*met)] = dict(users)
        for *drawn, blocks in record.get("blocks", ()):
            made.blocks[Drawn(*drawn)] = {(k, n): count for k, n, count in blocks}
        for *turn, cells in record.get("turns", ()):
            made.turns[Turn(*turn)] = [int(count) for count in cells]
        for *turn, levels in record.get("levels", ()):
            made.levels[Turn(*turn)] = {level: [misses, hits] for level, misses, hits in levels}
        return made

    def _add_block(self, drawn: Drawn, block: tuple[int, int]) -> None:
        mine = self.blocks.setdefault(drawn, {})
        mine[block] = mine.get(block, 0) + 1

    def _cells(self, axis: Axis, outcome: Outcome, draw: str) -> list[int]:
        return self.turns.setdefault(Turn(axis, outcome.phase, outcome.route, draw), [0, 0, 0, 0])


def draws(outcome: Outcome | Met) -> set[str]:
    """Return what was drawn for a request."""
    found = set(outcome.fault.split(",")) if outcome.fault else set()
    return found | {to(outcome.destination)} if outcome.destination else found


def to(destination: str) -> str:
    """Return the name of the draw of a destination."""
    return f"{FORWARDED} {destination}"


def total_of(draw: str) -> str:
    """Return the row that has the number of requests for which something was drawn."""
    return FORWARDED if draw in _OF_FORWARDED or draw.startswith(to("")) else ALL


def _by_draw(outcomes: Iterable[tuple[Outcome, int]]) -> dict[tuple[str, str], Counter[str]]:
    """Return the counts of each thing drawn, by phase and route."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for outcome, count in outcomes:
        counts = found.setdefault((outcome.phase, outcome.route), Counter())
        counts[ALL] += count
        counts[FORWARDED] += count if outcome.destination else 0
        for draw in draws(outcome):
            counts[draw] += count
    return found


def _add(mine: dict[Any, int], other: Mapping[Any, int]) -> None:
    for key, count in other.items():
        mine[key] = mine.get(key, 0) + count
