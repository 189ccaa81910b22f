"""The overlay: one EnvoyFilter that lays faults over routes as they are. Nobody's object is edited.

Each patch merges into one route the fault filter's settings for it, and the tags on responses by which the load knows
what happened to a request (chaos/load/tags.py). Faults have the run's own header as a condition, so that nobody else's
requests meet them. Its owner is the lease (lease.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaos.engines.envoy.bootstrap import FAULT_FILTER
from chaos.engines.envoy.filters import fault_filter
from chaos.engines.istio.marks import BAGGAGE, GENERATION, HEADER, PROBE, PROBE_STATUS, Json, Marks
from chaos.engines.istio.targets import Target
from chaos.faults import RuleFault
from chaos.protocol.tags import encode_tag

KIND = {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter"}

PRIORITY = 100
"""Behind the mesh's own EnvoyFilters, which have 0 unless they say otherwise."""


@dataclass(frozen=True, slots=True)
class Generation:
    """What is in force from one change to the next: its `number`, the `phase` that its requests are counted under, and
    the `faults` of the rules by key. Faults of rules that are `deeper` are for calls of applications, which pass on
    baggage at best."""

    number: int
    phase: str
    faults: Mapping[str, Sequence[RuleFault]]
    deeper: frozenset[str] = frozenset()


def overlay(marks: Marks, owner: Json, targets: Sequence[Target], generation: Generation, *, everybody: bool) -> Json:
    """Return the EnvoyFilter. With `everybody` the faults meet all traffic on these routes, not the run's alone."""
    return {
        **KIND,
        "metadata": marks.metadata("overlay", owner),
        "spec": {
            "priority": PRIORITY,
            "configPatches": [
                *(_probe(host, generation, marks) for host in dict.fromkeys(each.virtual_host for each in targets)),
                *(_patch(each, generation, None if everybody else marks) for each in targets),
            ],
        },
    }


def _probe(virtual_host: str, generation: Generation, marks: Marks) -> Json:
    """Return the patch that gives a virtual host a route for the run's own probes: it answers with the generation, as
    soon as it is in force."""
    conditions = [
        {"name": HEADER, "string_match": {"exact": marks.id}},
        {"name": PROBE, "string_match": {"exact": "1"}},
    ]
    route = {
        "name": marks.name("probe"),
        "match": {"prefix": "/", "headers": conditions},
        "direct_response": {"status": PROBE_STATUS, "body": {"inline_string": str(generation.number)}},
    }
    return {
        "applyTo": "HTTP_ROUTE",
        "match": {"routeConfiguration": {"vhost": {"name": virtual_host}}},
        "patch": {"operation": "INSERT_FIRST", "value": route},
    }


def _patch(target: Target, generation: Generation, marks: Marks | None) -> Json:
    value: Json = {"response_headers_to_add": _tags(target, generation)}
    fault = fault_filter(generation.faults.get(target.key, ()))
    if fault is not None:
        if marks is not None:
            fault["headers"] = [_condition(marks, deeper=target.key in generation.deeper)]
        value["typed_per_filter_config"] = {FAULT_FILTER: fault}
    vhost = {"name": target.virtual_host, "route": {"name": target.route}}
    return {
        "applyTo": "HTTP_ROUTE",
        "match": {"routeConfiguration": {"vhost": vhost}},
        "patch": {"operation": "MERGE", "value": value},
    }


def _condition(marks: Marks, *, deeper: bool) -> Json:
    """Return the header matcher that only the run's own requests meet (envoy.config.route.v3.HeaderMatcher)."""
    if deeper:
        return {"name": BAGGAGE, "string_match": {"safe_regex": {"regex": marks.baggage_pattern}}}
    return {"name": HEADER, "string_match": {"exact": marks.id}}


def _tags(target: Target, generation: Generation) -> list[Json]:
    return [
        _header("x-chaos-route", _text(target.rule)),
        *([_header("x-chaos-phase", _text(generation.phase))] if generation.phase else []),
        _header("x-chaos-flags", "%RESPONSE_FLAGS%"),
        _header("x-chaos-attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
        _header("x-chaos-destination", "%UPSTREAM_CLUSTER_RAW%"),
        _header(GENERATION, str(generation.number)),
    ]


def _text(name: str) -> str:
    return encode_tag(name).decode("ascii").replace("%", "%%")


def _header(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
