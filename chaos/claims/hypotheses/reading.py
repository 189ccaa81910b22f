"""Parse the experiment's expressions with the names that they may use. Problems point at their line."""

from __future__ import annotations

from collections.abc import Sequence

from chaos.claims.hypotheses.expression import Names, parse_expression
from chaos.claims.hypotheses.measure import Expression
from chaos.claims.hypotheses.measures import metric_of
from chaos.claims.hypotheses.observed_values import CHECKS
from chaos.claims.hypotheses.safeguards import Safeguard
from chaos.claims.hypotheses.tokens import ExpressionError
from chaos.errors import Problem
from chaos.experiment.read import Reading
from chaos.experiment.services import short_name_shown
from chaos.experiment.tasks import tasks_of
from chaos.mesh.compile.rules import Rules
from chaos.mesh.source.document import Path


def hosts_of(rules: Rules) -> dict[str, tuple[str, ...]]:
    """Return hosts, short and in full, with the keys of the rules that their requests may take."""
    found: dict[str, dict[str, None]] = {}
    for info in rules.rules:
        for host in info.hosts:
            for name in (short_name_shown(host), host):
                found.setdefault(name, {})[info.key] = None
    return {host: tuple(keys) for host, keys in found.items()}


def read_hypotheses(reading: Reading, names: Names) -> tuple[tuple[Expression, ...], list[Problem]]:
    """Parse spec.verify.expect: return the expressions and the problems."""
    expressions: list[Expression] = []
    problems: list[Problem] = []
    for index, text in enumerate(reading.experiment.spec.verify.expect):
        found = _read(reading, text, names, ("spec", "verify", "expect", index), problems)
        if found is not None:
            expressions.append(found)
    return tuple(expressions), problems


def read_safeguards(reading: Reading, names: Names) -> tuple[tuple[Safeguard, ...], list[Problem]]:
    """Parse spec.safeguards: return them and the problems. Only measures that have a value per second are allowed."""
    safeguards: list[Safeguard] = []
    problems: list[Problem] = []
    for index, each in enumerate(reading.experiment.spec.safeguards):
        path = ("spec", "safeguards", index)
        found = _read(reading, each.hold, names, path, problems)
        if found is None:
            continue
        if not metric_of(found.left).each_second or found.within is not None:
            what = "within" if found.within is not None else found.left.metric
            problems.append(reading.problem(path, f"a safeguard cannot use {what}: it has no value per second"))
            continue
        if found.right is not None and found.right.phase != found.left.phase:
            problems.append(reading.problem(path, "a safeguard watches one second of one phase; compare within it"))
            continue
        safeguards.append(Safeguard(found, each.hold_for))
    return tuple(safeguards), problems


def _read(reading: Reading, text: str, names: Names, path: Path, problems: list[Problem]) -> Expression | None:
    try:
        found = parse_expression(text, names)
        wrong = _unchecked(reading, found)
        if wrong:
            problems.append(reading.problem(path, f"{wrong}, in `{text}`", code="expression"))
        return None if wrong else found
    except ExpressionError as error:
        # a problem is one line, so it quotes the text instead of marking the place in it
        problems.append(reading.problem(path, f"{error.message}, in `{text}`", code="expression"))
    return None


def _unchecked(reading: Reading, expression: Expression) -> str:
    """Return why nothing is checked where a share of checks is asked for; empty if something is."""
    sides = [side for side in (expression.left, expression.right) if side is not None and side.metric in CHECKS]
    if not sides:
        return ""
    checked = {task.name for task in tasks_of(reading) if task.expect is not None}
    if not checked:
        return "no task has `expect`, so nothing is checked"
    without = [side.task for side in sides if side.task not in (None, *checked)]
    return f"task {without[0]!r} has no `expect`, so nothing of it is checked" if without else ""


def read_hold(reading: Reading, names: Names) -> tuple[Expression | None, list[Problem]]:
    """Parse spec.search.hold: return it, None without a search, and the problems. It cannot name a phase, because a
    search tries one level at a time."""
    search = reading.experiment.spec.search
    if search is None:
        return None, []
    problems: list[Problem] = []
    path: Path = ("spec", "search", "hold")
    found = _read(reading, search.hold, names, path, problems)
    if found is not None and (found.phase or (found.right is not None and found.right.phase)):
        problems.append(reading.problem(path, "a search tries one level at a time; leave out the phase"))
    return found, problems


def names_of(tasks: Sequence[str] | None, phases: Sequence[str], rules: Rules) -> Names:
    """Return the names that expressions may use. `tasks` is None if any name may be one (a locustfile's are known only
    when it runs)."""
    return Names(
        tuple(name for name in phases if name), None if tasks is None else tuple(tasks), tuple(hosts_of(rules))
    )
