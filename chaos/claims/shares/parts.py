"""Find faults that a right share can hide: a task with a different share, and two faults that are not drawn
independently of each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

from chaos.claims.finding import Tally
from chaos.claims.observations import Observed, Outcome
from chaos.verify.claim import Claim
from chaos.verify.homogeneity import Range, coupled, odd_one_out


@dataclass(frozen=True, slots=True)
class OddTask:
    """A task with a different share than the others: its counts, and those of all others together."""

    task: str
    own: Tally
    others: Tally


@dataclass(frozen=True, slots=True)
class Coupling:
    """The counts of the claimed fault among the requests with another fault, and among those without."""

    other: str
    with_it: Tally
    without: Tally


def odd_task(
    observed: Observed, classify: Callable[[Outcome], bool | None], claim: Claim, alpha: float
) -> OddTask | None:
    """Return the task whose share surely differs from the others' by more than is tolerated; None without one."""
    parts: dict[str, Tally] = {}
    for outcome, count in observed:
        has = classify(outcome)
        if has is not None:
            before = parts.get(outcome.task, Tally(0, 0))
            parts[outcome.task] = Tally(before.k + count * has, before.n + count)
    evidence, place = odd_one_out([(each.k, each.n) for each in parts.values()], Range(claim.low, claim.high))
    if evidence < -log(alpha):
        return None
    task, own = list(parts.items())[place]
    if own.share is None or claim.low <= own.share <= claim.high:
        return None  # surely different, but by no more than is tolerated
    total = Tally(sum(each.k for each in parts.values()), sum(each.n for each in parts.values()))
    return OddTask(task, own, Tally(total.k - own.k, total.n - own.n))


def coupling(
    observed: Observed,
    concerns: Callable[[Outcome], bool],
    faults: tuple[str, str],
    claims: tuple[Claim, Claim],
    alpha: float,
) -> Coupling | None:
    """Return the counts of the first of two faults with and without the second if they are surely dependent; else
    None."""
    cells = [0, 0, 0, 0]
    for outcome, count in observed:
        if concerns(outcome):
            first, second = (fault in outcome.fault.split(",") for fault in faults)
            cells[2 * first + second] += count
    ranges = [Range(claim.low, claim.high) for claim in claims]
    if coupled(cells, ranges[0], ranges[1]) < -log(alpha):
        return None
    neither, only_second, only_first, both = cells
    found = Coupling(faults[1], Tally(both, both + only_second), Tally(only_first, only_first + neither))
    apart = abs((found.with_it.share or 0.0) - (found.without.share or 0.0))
    return found if apart > claims[0].tolerance else None  # surely coupled, and by more than is tolerated
