"""Find tasks whose rows take different rules. A task's requests are counted together, so all of them take one rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chaos.claims.routing import TaskRoute, route_of
from chaos.errors import Problem
from chaos.experiment.feeder import Feeder, filled
from chaos.experiment.feeder_file import FeederFile
from chaos.experiment.read import Reading
from chaos.experiment.tasks import LoadTask
from chaos.mesh.compile.rules import Rules
from chaos.statuses import shown


def row_problems(reading: Reading, rules: Rules, tasks: Iterable[LoadTask]) -> Iterator[Problem]:
    """Yield a problem for each task of which some row takes another rule, or gets another reply, than the first."""
    file = reading.feeder
    for index, task in enumerate(tasks if file is not None else ()):
        if file is None or task.fed is None or task.direct:
            continue
        found = _first_other(rules, task, file.feeder)
        if found is not None:
            row, own, other = found
            message = _message(rules, file, row, own, other)
            yield reading.problem(("spec", "load", "tasks", index), message, code="feeder")


def _first_other(rules: Rules, task: LoadTask, feeder: Feeder) -> tuple[int, TaskRoute, TaskRoute] | None:
    """Return the first row that takes another route than row 0, with both routes. Rows that differ only in columns of
    the body are the same to the rules, and not asked for again."""
    seen: set[tuple[str, ...]] = set()
    first: TaskRoute | None = None
    for row, values in enumerate(feeder.only(task.fed.head_columns if task.fed is not None else ()).rows):
        if values in seen:
            continue
        seen.add(values)
        route = route_of(rules, filled(task, feeder.row(row)))
        first = first or route
        if route != first:
            return row, first, route
    return None


def _message(rules: Rules, file: FeederFile, row: int, own: TaskRoute, other: TaskRoute) -> str:
    first, later = (f"line {file.lines[place]} of {file.name}" for place in (0, row))
    return (
        f"its rows take different rules, and a task's requests are counted together: {first} takes"
        f" {_name(rules, own)}, {later} {_name(rules, other)}; give each rule a task and a run with rows of its own"
    )


def _name(rules: Rules, route: TaskRoute) -> str:
    info = rules.info(route.rule) if route.rule else None
    name = "no rule" if info is None else info.name
    return f"{name} with status {shown(route.reply_status)}" if route.reply_status else name
