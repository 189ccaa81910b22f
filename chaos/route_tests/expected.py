"""Compare what one of our tests expects with what the rules say of its request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never
from urllib.parse import urljoin

from chaos.experiment.model_routing_case import NONE, Expected, FaultsExpected, RewriteExpected
from chaos.faults import FaultKind, RuleFault
from chaos.mesh.read.shape import suggestion
from chaos.route_tests.answer import Answer, Difference
from chaos.route_tests.destinations import arrived, means, shown_name, unknown
from chaos.units import Percent, format_duration

_ROUNDING = 0.005
"""In percentage points: a third may be written as 33.33 %."""


def differences(expected: Expected, answer: Answer) -> Iterator[Difference]:
    """Yield everything that is expected and does not come, in the order of a request's way."""
    if expected.rule is not None:
        yield from _rule(expected.rule, answer)
    if expected.fault is not None:
        yield from _fault(expected.fault, answer)
    if expected.destination is not None:
        yield from _destination(expected.destination, answer)
    if expected.destinations is not None:
        yield from _destinations(expected.destinations, answer)
    if expected.rewrite is not None:
        yield from _rewrite(expected.rewrite, answer)
    if expected.redirect is not None:
        yield from _redirect(expected.redirect, answer)
    if expected.status is not None and expected.status != answer.own_status:
        came = answer.own_status
        yield Difference("status", str(expected.status), "none: it is forwarded" if came is None else str(came))
    for name, value in (expected.headers or {}).items():
        yield from _header(name, value, answer)


def _rule(wanted: str, answer: Answer) -> Iterator[Difference]:
    came = answer.rule.rule.name if answer.rule is not None else NONE
    if came != wanted:
        own = "none: the service's own route" if answer.explanation.rule is not None else f"none: {answer.end}"
        yield Difference("rule", wanted, own if came == NONE else came, _unknown_rule(wanted, answer))


def _unknown_rule(wanted: str, answer: Answer) -> str:
    """Return what was perhaps meant by the name of a rule that does not exist; empty if it exists."""
    rules = answer.subject.rules
    known = {info.name for info in rules.rules if not info.is_default} | {
        each.rule.rule.name for each in rules.left_out
    }
    if wanted == NONE or wanted in known:
        return ""
    return f" (no such rule{suggestion(wanted, sorted(known))})"


# ---------------------------------------------------------------------------------------------- faults


def _fault(expected: FaultsExpected, answer: Answer) -> Iterator[Difference]:
    rule = answer.explanation.rule
    came = {fault.kind: fault for fault in (rule.faults if rule else ()) if fault.percent.per_million}
    wanted = {kind: each for kind in FaultKind if (each := _wanted_fault(expected, kind)) is not None}
    if wanted.keys() != came.keys() or not all(_agrees(wanted[kind], fault) for kind, fault in came.items()):
        yield Difference("fault", _faults_shown(wanted), _faults_shown(_configured(came)))


def _wanted_fault(expected: FaultsExpected, kind: FaultKind) -> dict[str, float | None] | None:
    """Return the parameters that are expected of a kind of fault, by the names that the fault has for them."""
    match kind:
        case FaultKind.ABORT:
            abort = expected.abort
            return None if abort is None else {"percent": abort.percentage, "status": abort.status}
        case FaultKind.DELAY:
            delay = expected.delay
            return None if delay is None else {"percent": delay.percentage, "seconds": delay.duration}
    assert_never(kind)


def _agrees(wanted: Mapping[str, float | None], fault: RuleFault) -> bool:
    percent = wanted["percent"]
    if percent is not None and Percent.of(percent) != fault.percent:
        return False
    return all(
        value is None or value == fault.parameters.get(name) for name, value in wanted.items() if name != "percent"
    )


def _configured(faults: Mapping[FaultKind, RuleFault]) -> dict[FaultKind, dict[str, float | None]]:
    """Return faults as `_wanted_fault` has them."""
    return {kind: {"percent": fault.percent.per_million / 10_000, **fault.parameters} for kind, fault in faults.items()}


def _faults_shown(faults: Mapping[FaultKind, Mapping[str, float | None]]) -> str:
    return " and ".join(_fault_shown(kind, each) for kind, each in faults.items()) or NONE


def _fault_shown(kind: FaultKind, fault: Mapping[str, float | None]) -> str:
    percent, status, seconds = (fault.get(name) for name in ("percent", "status", "seconds"))
    parts = [
        str(kind),
        "" if percent is None else f"{percent:.10g} %",
        "" if status is None else f"with {status:g}",
        "" if seconds is None else f"of {format_duration(seconds)}",
    ]
    return " ".join(part for part in parts if part)


# ---------------------------------------------------------------------------------------------- destinations


def _destination(wanted: str, answer: Answer) -> Iterator[Difference]:
    came = arrived(answer)
    if wanted == NONE:
        if came:
            yield Difference("destination", NONE, _shares_shown(came, answer))
    elif len(came) != 1 or not means(wanted, next(iter(came)), answer.namespace):
        yield Difference("destination", wanted, _shares_shown(came, answer))
    else:
        yield from _unknown(wanted, next(iter(came)), answer)


def _destinations(wanted: Mapping[str, float], answer: Answer) -> Iterator[Difference]:
    came = arrived(answer)
    positive = {name: percent for name, percent in wanted.items() if percent > 0}
    meant = {name: [each for each in came if means(name, each, answer.namespace)] for name in positive}
    found = {each for several in meant.values() for each in several}
    shares = {name: 100 * sum(came[each] for each in several) for name, several in meant.items()}
    if found != set(came) or any(abs(shares[name] - positive[name]) > _ROUNDING for name in positive):
        shown = ", ".join(f"{name} {percent:.6g} %" for name, percent in wanted.items())
        yield Difference("destinations", shown, _shares_shown(came, answer))
        return
    for name, several in meant.items():
        for each in several:
            yield from _unknown(name, each, answer)


def _unknown(wanted: str, cluster: str, answer: Answer) -> Iterator[Difference]:
    if reason := unknown(cluster, answer):
        yield Difference("destination", wanted, f"{shown_name(cluster, answer.namespace)}, but {reason}: 503")


def _shares_shown(came: Mapping[str, float], answer: Answer) -> str:
    if not came:
        return f"none: {answer.end}"
    names = {name: shown_name(name, answer.namespace) for name in came}
    if len(came) == 1:
        return next(iter(names.values()))
    return ", ".join(f"{names[name]} {100 * share:.6g} %" for name, share in came.items())


# ---------------------------------------------------------------------------------------------- what is changed


def _rewrite(wanted: RewriteExpected, answer: Answer) -> Iterator[Difference]:
    fate, explanation = answer.explanation.fate, answer.explanation
    changed = {
        "uri": fate.target if fate.target != explanation.normalised else None,
        "authority": fate.authority if fate.authority != explanation.host else None,
    }
    if wanted.uri is None and wanted.authority is None:
        if fate.rewritten and any(changed.values()):
            yield Difference("rewrite", NONE, ", ".join(each for each in changed.values() if each))
        return
    if not fate.rewritten:
        yield Difference("rewrite", wanted.uri or wanted.authority or "", NONE if answer.forwarded else answer.end)
        return
    target = fate.target or ""
    path = target if "?" in (wanted.uri or "") else target.partition("?")[0]
    if wanted.uri is not None and wanted.uri != path:
        yield Difference("rewrite", wanted.uri, path)
    if wanted.authority is not None and wanted.authority != fate.authority:
        yield Difference("rewrite of the authority", wanted.authority, str(fate.authority))


def _redirect(wanted: str, answer: Answer) -> Iterator[Difference]:
    explanation = answer.explanation
    location = explanation.fate.location if explanation.fate.kind == "redirect" else None
    full = urljoin(f"http://{explanation.host}{explanation.target}", wanted) if wanted.startswith("/") else wanted
    if (NONE if location is None else location) != (NONE if wanted == NONE else full):
        yield Difference("redirect", wanted, location if location is not None else f"none: {answer.end}")


def _header(name: str, wanted: str, answer: Answer) -> Iterator[Difference]:
    values = [value for header, value in answer.explanation.fate.headers if header == name.lower()]
    if wanted not in (*values, ", ".join(values), ",".join(values)):
        whose = "upstream" if answer.forwarded else "answer"
        came = ", ".join(f'"{value}"' for value in values) or "none"
        yield Difference(f"{whose} header {name}", f'"{wanted}"', came)
