"""Render an explanation as lines for a terminal or a file, without colours."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.mesh.compile.summary import Retrying, RuleInfo
from chaos.mesh.explain.explanation import Considered, Explanation, Fate, Tested
from chaos.printable import printable_line
from chaos.units import format_duration


def explanation_text(explanation: Explanation) -> str:
    """Return the lines, control characters spelt out."""
    return "".join(f"{printable_line(line)}\n" for line in _lines(explanation))


def _lines(explanation: Explanation) -> Iterator[str]:
    yield f"{explanation.method} http://{explanation.host}{explanation.target}"
    if explanation.normalised not in (None, explanation.target):
        yield f"  the path is normalised: {explanation.normalised}"
    yield from _host(explanation)
    for number, considered in enumerate(explanation.considered, 1):
        yield from _entry(number, considered)
    if explanation.skipped:
        yield "  not considered:"
    for skipped in explanation.skipped:
        yield f"     {skipped.rule}: {skipped.reason}  {skipped.where}"
    yield ""
    yield from _outcome(explanation)


def _host(explanation: Explanation) -> Iterator[str]:
    if explanation.virtual_host is None:
        offered = ", ".join(explanation.known_hosts)
        yield f"  listener {explanation.listener}: {explanation.nothing_here}"
        if offered:
            yield f"  known: {offered}"
        return
    yield f"  listener {explanation.listener}, virtual host {explanation.virtual_host}"
    for name, where in explanation.virtual_services:
        yield f"  VirtualService {name}  {where}"
    if not explanation.virtual_services:
        yield "  no VirtualService has this host: the service's own route applies"


def _entry(number: int, considered: Considered) -> Iterator[str]:
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


def _row(label: str, text: str) -> str:
    return f"{label:<9} {text}"


def _faults(rule: RuleInfo) -> Iterator[str]:
    if rule.delay is not None:
        yield _row("delay", f"{rule.delay} of the requests wait {format_duration(rule.fixed_delay)}")
    if rule.abort is not None:
        grpc = "" if rule.abort_grpc_status is None else f", a gRPC client grpc-status {rule.abort_grpc_status}"
        independent = ", drawn independently of the delay" if rule.delay is not None else ""
        yield _row("abort", f"{rule.abort} of the requests get {rule.abort_status}{grpc}{independent}")


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
