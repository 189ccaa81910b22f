"""Policies as Envoy's fault filters, in front of that of the rules: fixed delays, statuses, and the bandwidth of
responses. Whatever else a FaultPolicy can say is a problem at its line.

Each policy is a filter of its own, which is off but for the virtual hosts that it is about: there its match is the
filter's `headers`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from chaos.engines.envoy.bootstrap import FAULT_FILTER, Message, typed
from chaos.engines.envoy.match import header_matchers
from chaos.engines.envoy.values import duration
from chaos.errors import InvalidInput
from chaos.mesh.model.message import StringMatch
from chaos.mesh.model.virtual_service import HTTPMatchRequest
from chaos.mesh.source.document import Path
from chaos.policies.compiled import is_about
from chaos.policies.fault import Fault
from chaos.policies.kinds.bandwidth import Bandwidth
from chaos.policies.kinds.delay import Delay
from chaos.policies.kinds.status import Status
from chaos.policies.model import Target
from chaos.policies.read import PolicyRead
from chaos.units import Percent

_KIB = 1024
_ORDER: tuple[type[Fault], ...] = (Bandwidth, Delay, Status)
"""A delayed request is answered after its wait, and also such an answer passes slowly, as through our gateway."""

Refusal = tuple[Path, str]
"""A field of a policy's spec, and why an Envoy does not have it."""


class Served(NamedTuple):
    """A virtual host: its name, and the port of its listener."""

    host: str
    listener: int


@dataclass(frozen=True, slots=True)
class PolicyFilters:
    """Policies that an Envoy can carry out."""

    read: tuple[PolicyRead, ...] = ()

    @classmethod
    def of(cls, read: Iterable[PolicyRead]) -> PolicyFilters:
        """Return the filters of these policies. Raises InvalidInput for what an Envoy cannot do."""
        policies = tuple(read)
        problems = [each.problem(("spec", *path), why) for each in policies for path, why in _refusals(each)]
        if problems:
            raise InvalidInput(problems)
        return cls(tuple(sorted(policies, key=lambda each: _ORDER.index(type(each.policy.fault)))))

    def filters(self) -> list[Message]:
        """Return the filters of the connection manager, which are off by themselves."""
        off = typed("extensions.filters.http.fault.v3.HTTPFault")
        return [{"name": filter_name(each), "typed_config": off} for each in self.read]

    def per_host(self, host: Served) -> Message:
        """Return the settings of the filters for a virtual host, by their names. Raises InvalidInput for a policy with
        several matches there."""
        return {filter_name(each): _setting(each, targets) for each, targets in self._about(host)}

    def _about(self, host: Served) -> Iterator[tuple[PolicyRead, Mapping[int, Target]]]:
        for each in self.read:
            namespace = each.policy.metadata.namespace
            targets = enumerate(each.policy.spec.targets)
            about = {index: target for index, target in targets if is_about(target, host, namespace)}
            if about:
                yield each, about


def filter_name(read: PolicyRead) -> str:
    """Return the name of a policy's filter."""
    return f"{FAULT_FILTER}.{read.name}"


def _setting(read: PolicyRead, targets: Mapping[int, Target]) -> Message:
    spec, fault = read.policy.spec, read.policy.fault
    share = {"percentage": {"numerator": Percent.of(spec.percentage).per_million, "denominator": "MILLION"}}
    match fault:
        case Delay():
            made: Message = {"delay": {"fixed_delay": duration(fault.fixed or 0), **share}}
        case Status():
            made = {"abort": {"http_status": fault.code, **share}}
        case Bandwidth():
            limit = {"limit_kbps": str(int(fault.rate) // _KIB)}
            made = {"response_rate_limit": {"fixed_limit": limit, **share}}
        case _:
            raise AssertionError(f"{fault.kind} is no fault of an Envoy")
    headers = _one_match(read, targets)
    return typed("extensions.filters.http.fault.v3.HTTPFault", **made, **({"headers": headers} if headers else {}))


def _one_match(read: PolicyRead, targets: Mapping[int, Target]) -> list[Message]:
    matches = {index: target.match for index, target in targets.items()}
    if any(match is None for match in matches.values()):
        return []
    if len(matches) > 1:
        why = "an Envoy's fault filter has one match for a host; write a policy of its own for this one"
        raise InvalidInput([read.problem(("spec", "targets", max(matches), "match"), why)])
    (match,) = matches.values()
    assert match is not None
    return _matchers(match)


def _matchers(match: HTTPMatchRequest) -> list[Message]:
    path = _path(match.uri, ignore_case=match.ignore_uri_case) if match.uri is not None else None
    return [*([{"name": ":path", "string_match": path}] if path is not None else []), *header_matchers(match)]


def _path(uri: StringMatch, *, ignore_case: bool) -> Message | None:
    """Return the matcher of a path, which for Envoy's filter has its query."""
    if uri.prefix is not None:
        return {"prefix": uri.prefix, **({"ignore_case": True} if ignore_case else {})}
    if uri.exact is None:
        return None
    return {"safe_regex": {"regex": f"{'(?i)' if ignore_case else ''}{re.escape(uri.exact)}(?:\\?.*)?"}}


# ------------------------------------------------------------------------------------------ what an Envoy cannot do


def _refusals(read: PolicyRead) -> Iterator[Refusal]:
    """Yield each field that an Envoy does not have."""
    spec, fault = read.policy.spec, read.policy.fault
    if spec.scope == "upstream":
        yield ("scope",), "an Envoy's faults are in front of its retries; leave scope out"
    if spec.when is not None:
        yield ("when",), "an Envoy's faults are always in force; leave when out"
    if spec.max_active is not None:
        yield ("maxActive",), "an Envoy counts the active faults of all its filters together; leave maxActive out"
    for index, target in enumerate(spec.targets):
        yield from _unmatched(index, target.match)
    match fault:
        case Delay():
            yield from _delay(fault)
        case Bandwidth():
            yield from _bandwidth(fault)
        case Status():
            yield from _status(fault)
        case _:
            known = ", ".join(kind.kind for kind in _ORDER)
            yield ("fault", fault.kind), f"an Envoy has no fault like {fault.kind}; it has {known}"


def _unmatched(index: int, match: HTTPMatchRequest | None) -> Iterator[Refusal]:
    if match is None:
        return
    path = ("targets", index, "match")
    if match.query_params:
        yield (*path, "queryParams"), "an Envoy's fault filter compares no parameters; match the path or headers"
    if match.uri is not None and match.uri.regex is not None:
        why = "an Envoy's fault filter compares the path together with its query; write exact or prefix"
        yield (*path, "uri", "regex"), why


def _delay(fault: Delay) -> Iterator[Refusal]:
    form = next(name for name in ("fixed", "uniform", "normal", "lognormal", "percentiles") if fault.has(name))
    if form != "fixed":
        yield ("fault", "delay", form), "an Envoy's delays are all the same; write fixed, like fixed: 100ms"
    if fault.at == "answer":
        yield ("fault", "delay", "at"), "an Envoy delays requests; leave at out"


def _bandwidth(fault: Bandwidth) -> Iterator[Refusal]:
    if fault.direction != "answer":
        field = ("direction",) if fault.has("direction") else ()
        yield ("fault", "bandwidth", *field), "an Envoy slows responses alone; write direction: answer"
    if fault.rate % _KIB:
        below = int(fault.rate) // _KIB
        better = f"{below or 1}KiB/s or {below + 1}KiB/s" if below else "1KiB/s"
        yield ("fault", "bandwidth", "rate"), f"an Envoy's rates are whole KiB/s; write {better}"


def _status(fault: Status) -> Iterator[Refusal]:
    for name in ("headers", "body"):
        if getattr(fault, name):
            yield ("fault", "status", name), f"an Envoy's abort has no {name} of one's own; leave {name} out"


NO_FILTERS = PolicyFilters()
