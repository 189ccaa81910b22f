"""Find tasks whose client gives up before a rule's delay is over, so that delayed requests end as timeouts."""

from __future__ import annotations

from collections.abc import Iterable

from chaos.errors import Problem
from chaos.experiment.read import Reading
from chaos.experiment.tasks import LoadTask, request_of
from chaos.faults import DelayFault
from chaos.mesh.compile.rules import Rules
from chaos.mesh.compile.summary import RuleInfo
from chaos.mesh.draws import FixedDraws
from chaos.units import format_duration


def patience_problems(reading: Reading, rules: Rules, tasks: Iterable[LoadTask]) -> list[Problem]:
    """Return a warning for each task that waits no longer than the delay of the rule that takes it."""
    found = []
    for index, task in enumerate(tasks):
        info = None if task.direct else _rule_of(rules, task)
        delay = info.fault(DelayFault) if info is not None else None
        if delay is None or not delay.share or task.timeout > delay.seconds:
            continue
        waits, late = format_duration(task.timeout), format_duration(delay.seconds)
        message = (
            f"the client gives up after {waits}, before the delay of {late} is over: delayed requests end as timeouts, "
            "and the length of the delay cannot be measured"
        )
        path = ("spec", "load", "tasks", index, "timeout")
        found.append(reading.problem(path, message, severity="warning", code="impatient"))
    return found


def _rule_of(rules: Rules, task: LoadTask) -> RuleInfo | None:
    decision = rules.decide(request_of(task), FixedDraws())
    return rules.info(decision.rule.key) if decision.rule else None
