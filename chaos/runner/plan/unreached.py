"""Find the rules that no request of this load can reach, so that a run reports what it cannot judge.

There are two kinds: rules that no task takes, and faults that are missing from the compiled rules because nothing leads
to them: behind a rule that takes everything, in a VirtualService for another gateway or namespace, or in a delegate
that no root names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from chaos.claims.effects import Effect
from chaos.claims.finding import Finding
from chaos.claims.routing import untouched
from chaos.errors import InvalidInput, Problem
from chaos.experiment.read import Reading
from chaos.mesh.compile.fault import read_fault
from chaos.mesh.compile.rules import Rules
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import HTTPRoute, VirtualService
from chaos.mesh.read.shape import suggestion
from chaos.mesh.resolve.delegate import shown_name
from chaos.verify.verdict import Verdict

REASONS = ("IST0130", "unreachable", "not-bound", "not-exported")
"""Codes of problems that explain why no request reaches a rule."""


def unreached(
    reading: Reading,
    rules: Rules,
    effects: Sequence[Effect],
    problems: Iterable[Problem],
    deeper: Collection[str] = (),
) -> tuple[tuple[Finding, ...], list[Problem]]:
    """Return a finding for each rule that no request reaches, and a note for each that `verify.unreached` allows.

    `effects` are those of the experiment's own documents. Faults of rules that are `deeper`, by their keys, meet calls
    of applications in a running mesh: they are not judged. Raises InvalidInput if `verify.unreached` names an unknown
    rule."""
    found = [*_untaken(rules, effects, deeper), *_never_fired(reading, rules, effects, tuple(problems))]
    allowed = reading.experiment.spec.verify.unreached
    if allowed == "allow":
        return (), [_note(reading, each) for each in found]
    known = {each.rule_name for each in found} | {info.name for info in rules.rules}
    wrong = [
        reading.problem(("spec", "verify", "unreached", place), _unknown(name, sorted(known)))
        for place, name in enumerate(allowed)
        if name not in known
    ]
    if wrong:
        raise InvalidInput(wrong)
    reported = tuple(each for each in found if each.rule_name not in allowed)
    return reported, [_note(reading, each) for each in found if each.rule_name in allowed]


def _unknown(name: str, known: list[str]) -> str:
    return f"there is no rule {name}{suggestion(name, known, 'known are ' + ', '.join(known))}"


def _note(reading: Reading, finding: Finding) -> Problem:
    return reading.problem(("spec", "verify", "unreached"), f"not judged: {finding.sentence}", "info", "unreached")


def _untaken(rules: Rules, effects: Sequence[Effect], deeper: Collection[str]) -> Iterator[Finding]:
    for info in untouched(rules, effects):
        if info.key in deeper:
            sentence = (
                f"{info.name} ({info.location}): no task takes this rule. Its faults meet calls of applications that "
                "pass on the header baggage of the run's requests; `--prometheus URL` says how many. Say what users "
                "may see of them (spec.expect)"
            )
            found = _finding(info.key, info.name, str(info.location or ""), sentence)
            yield replace(found, title="faults of deeper calls", verdict=Verdict.NOT_JUDGED, cause="unseen")
        elif info.hosts:
            sentence = (
                f"{info.name} ({info.location}): no task takes this rule, so nothing is known about it; "
                "add a task that does, or remove the rule"
            )
            yield _finding(info.key, info.name, str(info.location or ""), sentence)


def _never_fired(
    reading: Reading, rules: Rules, effects: Sequence[Effect], problems: tuple[Problem, ...]
) -> Iterator[Finding]:
    """Yield a finding for each fault in the documents whose rule nothing leads to."""
    reached = {str(info.location) for info in rules.rules if info.hosts} | {each.where for each in effects}
    keys = [info.key for info in rules.rules if info.hosts]
    for service in reading.resources.virtual_services:
        for index, route in enumerate(service.spec.http):
            key = f"virtualservice/{service.namespace}/{service.name}/{index}"
            where = str(service.locate(("spec", "http", index)))
            if not _fires(route) or where in reached or any(each.startswith(f"{key}/") for each in keys):
                continue
            name = shown_name(route.name) or f"{service.name}[{index}]"
            sentence = f"{name} ({where}): its fault can never fire here: {_reason(service, index, rules, problems)}"
            yield _finding(key, name, where, sentence)


def _fires(route: HTTPRoute) -> bool:
    return any(fault.share > 0 for fault in read_fault(route.fault))


def _reason(service: Resource[VirtualService], index: int, rules: Rules, problems: tuple[Problem, ...]) -> str:
    """Return why nothing leads to this rule: the message of a check, or why its match entries were left out."""
    paths = (("spec", "http", index), ("spec", "gateways"), ("spec", "exportTo"), ("spec",))
    places = [service.locate(path) for path in paths]
    messages = [each.message for each in problems if each.code in REASONS and each.location in places]
    left_out = [each.reason for each in rules.left_out if each.rule.rule.location == places[0]]
    if messages or left_out:
        return [*messages, *left_out][0]
    return "nothing leads to this rule" if service.spec.hosts else "no VirtualService delegates to this one"


def _finding(key: str, name: str, where: str, sentence: str) -> Finding:
    return Finding(
        id=f"{key}#traffic",
        kind="route",
        title="takes requests",
        verdict=Verdict.NO_TRAFFIC,
        sentence=sentence,
        rule=key,
        rule_name=name,
        where=where,
        cause="traffic",
    )
