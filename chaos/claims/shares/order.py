"""Look at how requests follow each other: on a connection, and in the order in which the load sent them.

Draws are independent: what one request met says nothing about the next, and of so many successive requests as many are
hit as chance allows. In a gateway that takes turns they are too regular, in one whose faults come in runs too alike.
One that deals from a shuffled deck hits fewer after it has hit many: in the order of sending where all connections have
one deck, on each connection where each has its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, log

from chaos.claims.finding import Tally
from chaos.claims.observations import Observed, PairKey
from chaos.protocol.parts import RECENT, Axis, Drawn, Turn
from chaos.verify.claim import Claim
from chaos.verify.homogeneity import Range, evened, exactly, log_mean, regular, successive, unequal
from chaos.verify.independence import Dependence, dependence
from chaos.verify.verdict import Verdict

Blocks = Mapping[tuple[int, int], int]
"""(k, n) -> how many blocks had k hits among n requests."""

Levels = Mapping[int, Sequence[int]]

Cells = Sequence[int]
"""How often a miss followed a miss, a hit a miss, a miss a hit, and a hit a hit."""

AXES: tuple[Axis, ...] = ("sent", "connection")

REGULAR, ALIKE = 0.8, 1.25
"""The variance of blocks, as a part of what chance gives, below and above which they are not as drawn."""

NEVER = 0.002
"""Of neighbours: so few may change from a hit to a miss or back where a connection always meets the same."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Requests on a connection after a hit and after a miss. `constant`: they hardly ever change."""

    dependence: Dependence
    by_task: tuple[Cells, ...]
    constant: bool

    @property
    def gain(self) -> float:
        """Within each task, because what tasks that differ explain is no gain."""
        return sum(successive(cells, exactly([(cells[1] + cells[3], sum(cells))])) for cells in self.by_task)

    @property
    def sure(self) -> bool:
        return self.dependence.verdict is Verdict.FALSIFIED


@dataclass(frozen=True, slots=True)
class Evened:
    """Requests after fewer hits of late than there mostly are, and after more; `levels` has [misses, hits] by the
    number of hits among RECENT requests before them."""

    axis: Axis
    levels: Levels
    after_few: Tally
    after_many: Tally

    @property
    def gap(self) -> float:
        """How much more frequent hits are after few."""
        return (self.after_few.share or 0.0) - (self.after_many.share or 0.0)

    @property
    def gain(self) -> float:
        return self.against(exactly((hits, misses + hits) for misses, hits in self.levels.values()))

    def against(self, allowed: Range) -> float:
        """Return the evidence that hits even out, against independent draws with a share in a range."""
        return evened(self.levels, RECENT, allowed)


@dataclass(frozen=True, slots=True)
class Order:
    """Successive requests: blocks of them, the hits of which vary `variance` times as much as by chance, the shares
    of hits after a hit and after a miss, and after few and many in the order of sending and on each connection."""

    blocks: Blocks
    cells: Cells
    variance: float
    evened: tuple[Evened, ...]
    sure: bool

    @property
    def after_hit(self) -> float:
        return self.cells[3] / (self.cells[2] + self.cells[3])

    @property
    def after_miss(self) -> float:
        return self.cells[1] / (self.cells[0] + self.cells[1])

    @property
    def turns_gain(self) -> float:
        """That of being too regular."""
        dealt = max((each.gain for each in self.evened), default=0.0)
        return max(regular(self.blocks, _same(self.blocks)), self._following(self.after_hit < self.after_miss), dealt)

    @property
    def dealt(self) -> Evened | None:
        """Where hits even out most clearly, if that fits better than blocks that are too regular."""
        most = max(self.evened, key=lambda each: each.gain, default=None)
        return most if most is not None and most.gain > regular(self.blocks, _same(self.blocks)) else None

    @property
    def runs_gain(self) -> float:
        """That of being too much alike."""
        return max(unequal(self.blocks, _same(self.blocks)), self._following(self.after_hit > self.after_miss))

    def _following(self, so: bool) -> float:
        return successive(self.cells, exactly([(self.cells[1] + self.cells[3], sum(self.cells))])) if so else 0.0


def neighbours(observed: Observed, chosen: Callable[[PairKey], bool], turn: Turn | None, alpha: float) -> Neighbours:
    """Return how requests depend on the one before on their connection, each task for itself; by `turn` for what is
    counted without tasks."""
    if turn is not None:
        by_task = [observed.parts.cells(turn)]
    else:
        tasks: dict[str, list[int]] = {}
        for pair, cells in observed.pairs.items():
            if chosen(pair):
                before = tasks.get(pair.task, [0, 0, 0, 0])
                tasks[pair.task] = [a + b for a, b in zip(before, cells, strict=True)]
        by_task = list(tasks.values())
    total = [sum(column) for column in zip(*by_task, strict=True)] or [0, 0, 0, 0]
    return Neighbours(dependence(total, alpha), tuple(by_task), total[1] + total[2] <= NEVER * sum(total))


def in_order(observed: Observed, drawn: Drawn, claim: Claim, alpha: float) -> Order | None:
    """Return how successive requests differ from independent draws; None without a whole block, or if they do not."""
    blocks = observed.parts.of_blocks(drawn)
    cells = observed.parts.cells(Turn("sent", *drawn))
    if not blocks or not cells[2] + cells[3] or not cells[0] + cells[1]:
        return None
    dealt = tuple(_evened(observed, Turn(axis, *drawn)) for axis in AXES)
    found = Order(blocks, cells, _variance(blocks), tuple(each for each in dealt if each.gap > claim.tolerance), False)
    plain = REGULAR < found.variance < ALIKE and abs(found.after_hit - found.after_miss) <= claim.tolerance
    if plain and not found.evened:
        return None
    allowed = Range(claim.low, claim.high)
    counted = [unequal(blocks, allowed), regular(blocks, allowed), successive(cells, allowed)]
    counted += [each.against(allowed) if each in found.evened else -inf for each in dealt]
    return replace(found, sure=log_mean(counted) >= -log(alpha))


def _evened(observed: Observed, turn: Turn) -> Evened:
    levels = observed.parts.levels.get(turn, {})
    middle = RECENT * exactly((hits, misses + hits) for misses, hits in levels.values()).low

    def tally(chosen: Callable[[int], bool]) -> Tally:
        rows = [row for level, row in levels.items() if chosen(level)]
        return Tally(sum(hits for _, hits in rows), sum(map(sum, rows)))

    return Evened(turn.axis, levels, tally(lambda level: level < middle), tally(lambda level: level > middle))


def _same(blocks: Blocks) -> Range:
    return exactly((k * count, n * count) for (k, n), count in blocks.items())


def _variance(blocks: Blocks) -> float:
    """Return the blocks' variance as a part of that of random draws with their common share."""
    share, count = _same(blocks).low, sum(blocks.values())
    by_chance = share * (1 - share)
    if not by_chance:
        return 1.0
    return sum(many * (k - n * share) ** 2 / n for (k, n), many in blocks.items()) / by_chance / count
