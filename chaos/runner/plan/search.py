"""Plan a search: each level is a phase of its own, named after the level; the search chooses the next one."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.claims.hypotheses.measure import Expression
from chaos.claims.hypotheses.search import Quantity, Search
from chaos.errors import InvalidInput, Problem
from chaos.runner.plan.checked import Prepared
from chaos.runner.plan.phases import RunPhase, Stop

LEVEL_CAP = 30.0
"""Seconds for a level that is not decided, unless load.duration says otherwise. Levels close to the breaking point
never are."""


@dataclass(frozen=True, slots=True, eq=False)
class SearchPlan:
    """One search: what varies, the hypothesis that must hold, and the range of levels in the quantity's unit."""

    quantity: Quantity
    hold: Expression
    start: float
    to: float
    resolution: float | None
    confidence: float
    stop: Stop

    def search(self) -> Search:
        return Search(self.start, self.to, self.resolution, self.confidence)

    def phase(self, level: float) -> RunPhase:
        """Return the level as a phase."""
        name = f"{self.quantity.what}-{self.quantity.show(level)}".replace("\u202f", "").replace(" ", "")
        return RunPhase(name, True, self.stop, vary=(f"{self.quantity.host}.{self.quantity.what}", level))


def plan_search(prepared: Prepared, hold: Expression | None) -> SearchPlan | None:
    """Return the experiment's search, None if it has none. Raises InvalidInput if `vary` names nothing that varies, or
    the range is empty."""
    reading = prepared.reading
    wanted = reading.experiment.spec.search
    if wanted is None or hold is None:
        return None
    problems: list[Problem] = []
    try:
        quantity = Quantity.parse(wanted.vary)
    except ValueError as error:
        raise InvalidInput([reading.problem(("spec", "search", "vary"), str(error))]) from None
    for name in ("from", "to", "resolution"):
        problems += _unit(prepared, name, quantity)
    load = reading.experiment.spec.load
    plan = SearchPlan(
        quantity,
        hold,
        wanted.start,
        wanted.to,
        wanted.resolution,
        reading.experiment.spec.verify.confidence / 100,
        Stop(True, load.duration or LEVEL_CAP, load.requests),
    )
    try:
        plan.search()
    except ValueError as error:
        problems.append(reading.problem(("spec", "search"), str(error)))
    if problems:
        raise InvalidInput(problems)
    return plan


def _unit(prepared: Prepared, name: str, quantity: Quantity) -> list[Problem]:
    """Return a problem if a level is a percentage where a duration varies, or the other way round."""
    document = prepared.reading.document
    value = document.value["spec"]["search"].get(name) if document is not None else None
    if value is None:
        return []
    is_duration = isinstance(value, str) and value.strip()[-1:].isalpha()
    if is_duration == quantity.in_seconds:
        return []
    right = "a duration, like 500ms" if quantity.in_seconds else "a percentage, like 60"
    return [prepared.reading.problem(("spec", "search", name), f"{value!r}: {quantity.what} varies by {right}")]
