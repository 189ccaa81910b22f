"""Why a request takes the rule it takes, and what happens to it then: values for JSON, and lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from chaos.faults import FaultKind, RuleFault
from chaos.mesh.compile.summary import Retrying, RuleInfo
from chaos.printable import printable_line
from chaos.units import format_duration


@dataclass(frozen=True, slots=True)
class Tested:
    """One condition of an entry: `seen` are the values that it tested, empty when the request has none."""

    field: str
    expected: str
    seen: tuple[str, ...]
    holds: bool


@dataclass(frozen=True, slots=True)
class Considered:
    """One match entry that was tested, with all of its conditions, also the failed ones."""

    rule: str
    key: str
    entry: int | None
    where: str
    taken: bool
    conditions: tuple[Tested, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that cannot take any request of this proxy."""

    rule: str
    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens when no fault ends the request.

    `kind`: forward, redirect, direct-response, preflight, no-route or bad-request. `destinations`: cluster, share of
    all requests that take the rule, and a note on its endpoints."""

    kind: str
    status: int | None = None
    location: str | None = None
    body: str = ""
    target: str | None = None
    authority: str | None = None
    rewritten: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    destinations: tuple[tuple[str, float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AboutPolicy:
    """A FaultPolicy whose targets the request is among.

    `share` is the fraction of its requests that meet the fault, `limits` says when and for how many at a time; `ends`:
    one that meets it takes no rule. The scope `upstream` is beneath the rule's retries."""

    name: str
    where: str
    kind: str
    share: float
    sentence: str
    limits: str
    scope: str
    ends: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """The way of one request through the rules.

    `listener` is the port that the request arrives at; `normalised` is the target as matched, None when it is refused;
    `nothing_here` is the reason why no virtual host has the request, and `known_hosts` are then suggestions.
    `policies` are those that are about the request."""

    method: str
    host: str
    listener: int
    target: str
    normalised: str | None
    virtual_host: str | None
    virtual_services: tuple[tuple[str, str], ...]
    nothing_here: str
    known_hosts: tuple[str, ...]
    considered: tuple[Considered, ...]
    skipped: tuple[Skipped, ...]
    rule: RuleInfo | None
    fate: Fate
    policies: tuple[AboutPolicy, ...] = ()

    def __str__(self) -> str:
        """The lines of `chaos explain`, without colours, control characters spelt out."""
        return "\n".join(printable_line(line) for line in _lines(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as JSON; the rule as a plain dict."""
        names = ("method", "host", "listener", "target", "normalised", "virtual_host", "nothing_here")
        parts = {name: getattr(self, name) for name in names}
        return parts | {
            "virtual_services": [{"name": name, "where": where} for name, where in self.virtual_services],
            "known_hosts": list(self.known_hosts),
            "considered": [asdict(each) for each in self.considered],
            "skipped": [asdict(each) for each in self.skipped],
            "rule": _rule_dict(self.rule) if self.rule else None,
            "fate": asdict(self.fate),
            "policies": [asdict(each) for each in self.policies],
        }


def _rule_dict(rule: RuleInfo) -> dict[str, Any]:
    retries, faults = rule.retries, {fault.kind: fault for fault in rule.faults}
    return {
        "key": rule.key,
        "name": rule.name,
        "where": str(rule.location or ""),
        "virtual_service": rule.virtual_service,
        **{kind.value: _fault_dict(faults.get(kind)) for kind in FaultKind},
        "timeout": rule.timeout,
        "retries": retries
        and {
            "attempts": retries.attempts,
            "retry_on": list(retries.retry_on),
            "per_try_timeout": retries.per_try_timeout,
        },
        "mirrors": [{"destination": name, "share": share.fraction} for name, share in rule.mirrors],
    }


def _fault_dict(fault: RuleFault | None) -> dict[str, Any] | None:
    return None if fault is None else {"share": fault.share, **fault.parameters}


# ---------------------------------------------------------------------------------------------- as lines


def _lines(explanation: Explanation) -> Iterator[str]:
    yield f"{explanation.method} http://{explanation.host}{explanation.target}"
    if explanation.normalised not in (None, explanation.target):
        yield f"  the path is normalised: {explanation.normalised}"
    yield from host_lines(explanation)
    for number, considered in enumerate(explanation.considered, 1):
        yield from entry_lines(number, considered)
    if explanation.skipped:
        yield "  not considered:"
    for skipped in explanation.skipped:
        yield f"     {skipped.rule}: {skipped.reason}  {skipped.where}"
    yield ""
    yield from _policies(explanation, "downstream")
    yield from _outcome(explanation)


def host_lines(explanation: Explanation) -> Iterator[str]:
    """Yield the listener and the virtual host that have the request, or why there are none."""
    if explanation.virtual_host is None:
        offered = ", ".join(explanation.known_hosts)
        said = explanation.nothing_here
        named = said.startswith("listener ") or not explanation.listener
        yield f"  {said}" if named else f"  listener {explanation.listener}: {said}"
        if offered:
            yield f"  known: {offered}"
        return
    yield f"  listener {explanation.listener}, virtual host {explanation.virtual_host}"
    for name, where in explanation.virtual_services:
        yield f"  VirtualService {name}  {where}"
    if not explanation.virtual_services:
        yield "  no VirtualService has this host: the service's own route applies"


def entry_lines(number: int, considered: Considered) -> Iterator[str]:
    """Yield a match entry that was tested, and the conditions that decided."""
    entry = "" if considered.entry is None else f" match[{considered.entry}]"
    where = f"  {considered.where}" if considered.where else ""
    yield f"{number:>3}. {considered.rule}{entry}: {'takes it' if considered.taken else 'no'}{where}"
    for tested in considered.conditions:
        if considered.taken or not tested.holds:
            yield f"       {_condition(tested)}"
    if considered.taken and not considered.conditions:
        yield "       no conditions: takes every request"


def _condition(tested: Tested) -> str:
    seen = ", ".join(f'"{value}"' for value in tested.seen) or "absent"
    return f"{tested.field}: wanted {tested.expected}, seen {seen}"


def _outcome(explanation: Explanation) -> Iterator[str]:
    fate, rule = explanation.fate, explanation.rule
    if fate.kind == "bad-request":
        yield _row("answer", "400: a path with a fragment or %00 is refused")
    elif rule is None:
        yield _row("answer", "404: no route")
    else:
        yield from _faults(rule)
        yield from _forward(explanation, fate, rule) if fate.kind == "forward" else _reply(fate)


def _policies(explanation: Explanation, scope: str) -> Iterator[str]:
    """Yield the policies of a scope: those in front of the rules, or those beneath their retries."""
    found = [each for each in explanation.policies if each.scope == scope]
    for each in found:
        limits = f", {each.limits}" if each.limits else ""
        yield _row("policy", f"{each.name}: {each.sentence}{limits}  {each.where}")
    if scope == "downstream" and any(each.ends for each in found):
        yield "of the requests that no policy ends:"


def _row(label: str, text: str) -> str:
    return f"{label:<9} {text}"


def _faults(rule: RuleInfo) -> Iterator[str]:
    for place, fault in enumerate(rule.faults):
        before = " and the ".join(each.kind for each in rule.faults[:place])
        independent = f", drawn independently of the {before}" if before else ""
        yield _row(fault.kind, f"{fault.percent} of the requests {fault.sentence}{independent}")


def _reply(fate: Fate) -> Iterator[str]:
    aside = f", location {fate.location}" if fate.location else f": {fate.body}" if fate.body else ""
    yield _row("answer", f"{fate.status} ({fate.kind.replace('-', ' ')}){aside}")


def _forward(explanation: Explanation, fate: Fate, rule: RuleInfo) -> Iterator[str]:
    for name, share, behind in fate.destinations:
        if share > 0:
            yield _row("forward", f"{100 * share:.6g} % of the requests to {name} ({behind})")
    if fate.rewritten and fate.target != explanation.normalised:
        yield _row("path", f"{explanation.normalised} becomes {fate.target}")
    if fate.rewritten and fate.authority != explanation.host:
        yield _row("Host", f"{explanation.host} becomes {fate.authority}")
    if rule.timeout is not None:
        yield _row("timeout", f"{format_duration(rule.timeout)} for all attempts together")
    yield _row("retries", _retries(rule.retries))
    yield from _policies(explanation, "upstream")
    for name, percent in rule.mirrors:
        yield _row("mirror", f"{percent} of the forwarded requests to {name}")
    yield "upstream gets"
    for header, value in fate.headers:
        yield f"  {header}: {value}"


def _retries(retries: Retrying | None) -> str:
    if retries is None:
        return "none"
    if retries.is_default:
        return (
            f"up to {retries.attempts}, Istio's default: refused connections, gRPC unavailable and cancelled; not 503"
        )
    per_try = "" if retries.per_try_timeout is None else f", {format_duration(retries.per_try_timeout)} per attempt"
    return f"up to {retries.attempts} on {','.join(retries.retry_on)}{per_try}"
