"""Look for faults that a right share can hide: parts of the requests (tasks, users, stretches in the order of sending)
with a share of their own, and two faults that are not drawn independently of each other.

Each has its evidence against what is claimed (an e-value, whose limit is 1 / alpha), and its gain: how much better, in
nats, it explains what was seen than one common share for all requests does. By their gains explanations are compared.
What is unknown is no evidence: lost requests count as whatever makes the parts most alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log

from chaos.claims.finding import Tally
from chaos.claims.observations import Observed, Outcome
from chaos.protocol.digest import ANY_TASK
from chaos.protocol.parts import ALL, LOST, Parts, draws, total_of
from chaos.verify.claim import Claim
from chaos.verify.homogeneity import (
    Range,
    coupled,
    each_own,
    exactly,
    kindest,
    log_mean,
    odd_one_out,
    spread_between,
    unequal,
)

Cells = list[int]
"""Requests with neither of two faults, only the second, only the first, and both."""


@dataclass(frozen=True, slots=True)
class OddTask:
    """A task with a different share than the others: its counts, and those of all others together. `sure`: beyond doubt
    by its own alpha."""

    task: str
    own: Tally
    others: Tally
    parts: tuple[tuple[int, int], ...]
    sure: bool

    @property
    def gain(self) -> float:
        same = exactly(self.parts)
        return max(each_own(self.parts, same), odd_one_out(self.parts, same)[0])


@dataclass(frozen=True, slots=True)
class UnlikeUsers:
    """Users with shares of their own: the lowest and the highest."""

    users: int
    lowest: Tally
    highest: Tally
    parts: tuple[tuple[int, int], ...]
    sure: bool

    @property
    def gain(self) -> float:
        counts, same = Counter(self.parts), exactly(self.parts)
        return max(unequal(counts, same), odd_one_out(self.parts, same)[0], each_own(self.parts, same))


@dataclass(frozen=True, slots=True)
class Coupling:
    """The counts of the claimed fault among the requests with another fault, and among those without."""

    other: str
    with_it: Tally
    without: Tally
    by_task: tuple[Cells, ...]
    sure: bool

    @property
    def gain(self) -> float:
        """Within each task, because what tasks that differ explain is no gain."""
        return sum(coupled(each, *_shares(each)) for each in self.by_task)


def odd_task(
    observed: Observed,
    classify: Callable[[Outcome], bool | None],
    claim: Claim,
    alpha: float,
    lost: Mapping[str, int] | None = None,
) -> OddTask | None:
    """Return the task whose share is furthest from the claimed one, where tasks differ; None with one task, or where
    they differ by no more than is tolerated. `lost` are the requests without a response, by task."""
    by_task: dict[str, Tally] = {}
    for outcome, count in observed:
        has = classify(outcome)
        if has is not None:
            before = by_task.get(outcome.task, Tally(0, 0))
            by_task[outcome.task] = Tally(before.k + count * has, before.n + count)
    if len(by_task) < 2:
        return None
    lost = lost or {}
    unknown = [max(0, lost.get(task, 0) + lost.get(ANY_TASK, 0)) for task in by_task]
    known = [(each.k, each.n) for each in by_task.values()]
    allowed = Range(claim.low, claim.high)

    def differ(parts: Sequence[tuple[int, int]]) -> float:
        return log_mean([odd_one_out(parts, allowed)[0], each_own(parts, allowed)])

    evidence, parts = kindest(known, unknown, allowed, differ)
    places = range(len(parts))
    place = max(places, key=lambda each: abs(parts[each][0] / parts[each][1] - claim.centre) * parts[each][1] ** 0.5)
    own = Tally(*known[place])
    kind = Tally(*parts[place])
    if kind.share is None or claim.low <= kind.share <= claim.high:
        return None
    k, n = sum(part[0] for part in known), sum(part[1] for part in known)
    others = Tally(k - own.k, n - own.n)
    return OddTask(list(by_task)[place], own, others, tuple(parts), evidence >= -log(alpha))


def unlike_users(
    parts: Parts, where: tuple[str, str], draw: str, claim: Claim, alpha: float, pending: int = 0
) -> UnlikeUsers | None:
    """Return how the users' shares differ; None with one user, or if they differ by no more than is tolerated. `where`
    is the phase and the route. Each user may have one of the `pending` requests."""
    counts: dict[int, Tally] = {}
    lost: Counter[int] = Counter()
    for met, users in parts.users.items():
        if met.fault == LOST and met.phase == where[0]:
            lost.update(users)
        elif (met.phase, met.route) == where and (total_of(draw) == ALL or met.destination):
            has = draw in draws(met)
            for user, count in users.items():
                before = counts.get(user, Tally(0, 0))
                counts[user] = Tally(before.k + count * has, before.n + count)
    if len(counts) < 2:
        return None
    known = [(each.k, each.n) for each in counts.values()]
    unknown, allowed = [lost[user] + (pending > 0) for user in counts], Range(claim.low, claim.high)
    if not any(unknown) and spread_between(Counter(known)) <= claim.tolerance:
        return None  # as nearly always: what follows takes milliseconds

    def differ(parts: Sequence[tuple[int, int]]) -> float:
        return log_mean([unequal(Counter(parts), allowed), odd_one_out(parts, allowed)[0]])

    evidence, alike = kindest(known, unknown, allowed, differ)
    if spread_between(Counter(alike)) <= claim.tolerance:
        return None
    ordered = sorted((each for each in counts.values() if each.n), key=lambda each: each.k / each.n)
    return UnlikeUsers(len(counts), ordered[0], ordered[-1], tuple(alike), evidence >= -log(alpha))


def coupling(
    observed: Observed,
    concerns: Callable[[Outcome], bool],
    faults: tuple[str, str],
    claims: tuple[Claim, Claim],
    alpha: float,
) -> Coupling | None:
    """Return the counts of the first of two faults with and without the second; None if these differ by no more than is
    tolerated."""
    by_task: dict[str, Cells] = {}
    for outcome, count in observed:
        if concerns(outcome):
            first, second = (fault in outcome.fault.split(",") for fault in faults)
            by_task.setdefault(outcome.task, [0, 0, 0, 0])[2 * first + second] += count
    cells = [sum(column) for column in zip(*by_task.values(), strict=True)] or [0, 0, 0, 0]
    neither, only_second, only_first, both = cells
    with_it, without = Tally(both, both + only_second), Tally(only_first, only_first + neither)
    if not with_it.n or not without.n:
        return None
    if abs((with_it.share or 0.0) - (without.share or 0.0)) <= claims[0].tolerance:
        return None
    ranges = [Range(claim.low, claim.high) for claim in claims]
    sure = coupled(cells, ranges[0], ranges[1]) >= -log(alpha)
    return Coupling(faults[1], with_it, without, tuple(by_task.values()), sure)


def _shares(cells: Sequence[int]) -> tuple[Range, Range]:
    """Return the shares of both faults as they are."""
    _, only_second, only_first, both = cells
    n = sum(cells)
    return exactly([(only_first + both, n)]), exactly([(only_second + both, n)])
