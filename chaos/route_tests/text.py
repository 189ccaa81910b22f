"""The outcome of tests as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor

from chaos.mesh.explain.explanation import entry_lines, host_lines
from chaos.mesh.names import MESH, qualified
from chaos.route_tests.cases import owner_of
from chaos.route_tests.coverage import Coverage
from chaos.route_tests.judge import Outcome

_MOST_ENTRIES = 8
_MOST_UNREACHED = 20


def failure_lines(outcome: Outcome) -> Iterator[str]:
    """Yield what came in place of what was expected, and why: the entries that were passed over, and the conditions
    that failed."""
    if not outcome.case.is_named_after_request:
        yield f"  {outcome.case.shown_request}"
    yield from (f"  {difference}" for difference in outcome.differences)
    yield from (f"  {line}" for line in _why(outcome))


def _why(outcome: Outcome) -> Iterator[str]:
    explanation = outcome.answer.explanation
    if not explanation.virtual_services:
        yield from host_lines(explanation)
        yield from _other_proxy(outcome)
    shown = _worth_showing(outcome)
    hidden = len(explanation.considered) - len(shown)
    if hidden:
        yield f"  {hidden} more entries passed over"
    for number, considered in enumerate(explanation.considered, 1):
        if number in shown:
            yield from entry_lines(number, considered)
    yield from _wanted_rule(outcome)
    for problem in outcome.answer.subject.rules.problems:
        if problem.code == "delegate" and outcome.answer.rule is None:
            yield f"     {problem.message}  {problem.location}"


def _other_proxy(outcome: Outcome) -> Iterator[str]:
    """Yield which proxy has the VirtualService of this host, if the one under test has none."""
    subject, host = outcome.answer.subject, outcome.answer.explanation.host
    owner, proxy = owner_of(host, subject.resources), subject.rules.proxy
    if owner is None:
        return
    gateways = [qualified(name, owner.namespace) for name in owner.spec.gateways] or [MESH]
    if not set(gateways) & set(proxy.gateway_names):
        one = "" if gateways[0] == MESH else f"; to test that: proxy: {{gateway: {gateways[0]}}}"
        yield f"  {owner} has it, for {' and '.join(gateways)}, and this proxy is {proxy.gateway_name}{one}"
    elif owner.namespace != proxy.namespace and not proxy.is_gateway:
        yield f"  {owner} has it, and this proxy is in {proxy.namespace}: proxy: {{namespace: {owner.namespace}}}"


def _wanted_rule(outcome: Outcome) -> Iterator[str]:
    """Yield why the wanted rule was not even tried."""
    wanted, explanation, rules = outcome.case.rule, outcome.answer.explanation, outcome.answer.subject.rules
    if not wanted or any(_is_called(each.rule, wanted) for each in explanation.considered):
        return
    skipped = [each for each in explanation.skipped if _is_called(each.rule, wanted)]
    yield from (f"     {wanted}: {each.reason}  {each.where}" for each in skipped)
    info = next((each for each in rules.rules if _is_called(each.name, wanted)), None)
    if skipped or info is None:
        return
    table = rules.table(outcome.case.request.authority)
    if outcome.taken is not None and table is not None and any(each.rule.key == info.key for each in table.routes):
        yield f"     {wanted}: not tried, {outcome.taken.rule} takes the request first  {info.location}"
    else:
        yield f"     {wanted}: only for {', '.join(info.hosts) or 'no host'}  {info.location}"


def _worth_showing(outcome: Outcome) -> set[int]:
    """Return the numbers of the entries to show: the wanted rule's, the one that took the request, and the last ones
    before it, up to a limit."""
    considered, rule = outcome.answer.explanation.considered, outcome.case.rule
    wanted = {number for number, each in enumerate(considered, 1) if each.taken or _is_called(each.rule, rule)}
    last = range(len(considered), 0, -1)
    return wanted | set([number for number in last if number not in wanted][: max(0, _MOST_ENTRIES - len(wanted))])


def _is_called(rule: str, wanted: str) -> bool:
    """Return whether this is the wanted rule, on whatever listener."""
    return bool(wanted) and (rule == wanted or rule.startswith(f"{wanted}@"))


def coverage_lines(coverage: Coverage, *, all_of_them: bool) -> Iterator[str]:
    """Yield a line for each match entry that no test reaches, the first twenty unless all are wanted."""
    shown = coverage.unreached if all_of_them else coverage.unreached[:_MOST_UNREACHED]
    yield from map(str, shown)
    if hidden := len(coverage.unreached) - len(shown):
        yield f"not reached: {hidden} more; --coverage lists all of them"


def summary(outcomes: Sequence[Outcome], coverage: Coverage) -> str:
    """Return one line: how many tests there are, how many pass, and how many match entries they reach."""
    failed = sum(not each.passed for each in outcomes)
    tests = f"{len(outcomes)} test{'' if len(outcomes) == 1 else 's'}"
    result = f"{tests}: {failed} failed" if failed else f"{tests}, all passed"
    percent = floor(coverage.percent * 10) / 10  # 99.96 % is not 100 %
    return f"{result}; {coverage.reached} of {coverage.total} match entries reached ({percent:g} %)"


def below(wanted: float) -> str:
    """Return that the tests reach too few match entries."""
    return f"the tests reach fewer than {wanted:g} % of the match entries"
