"""What the gateway's admin API says and takes, as typed JSON (docs/protocol.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict


class RuleCounters(TypedDict):
    """What the gateway counted of one rule in one phase. Keys of the tables are cluster labels, statuses (0: the client
    left first), statuses of upstream responses and numbers of attempts; of clients that left before their response,
    `left` counts the faults drawn for them, as `x-chaos-fault` names them, and `left_to` the clusters they were for.
    Of forwarded requests `answered` had their response from upstream; `failures` had none, or not all of it, by Envoy's
    response flag (UH, UF, UC ...)."""

    requests: int
    delay: int
    abort: int
    delay_abort: int
    forwarded: int
    answered: int
    mirrored: int
    upstream_requests: int
    upstream_failures: int
    delay_seconds: float
    destinations: dict[str, int]
    mirrors: dict[str, int]
    statuses: dict[str, int]
    upstream_statuses: dict[str, int]
    tries: dict[str, int]
    left: dict[str, int]
    left_to: dict[str, int]
    failures: dict[str, int]


class GatewayCounters(TypedDict):
    """`GET /counters`: per phase and rule key, summed over all workers."""

    generation: int
    seconds: float
    workers: int
    connections: int
    cpu_seconds: float
    phases: dict[str, dict[str, RuleCounters]]
    unmatched: int


class FaultedRequest(TypedDict):
    """One request that was faulted, as it can be sent again."""

    id: str
    method: str
    target: str
    authority: str
    rule: str
    fault: str
    phase: str


class FaultedBatch(TypedDict):
    """`GET /faulted?after=N`: `next` is the `after` of the next call, `total` counts also those not kept."""

    faulted: list[FaultedRequest]
    next: int
    total: int


class RuleInForce(TypedDict):
    key: str
    name: str
    where: str
    hosts: list[str]


class RulesInForce(TypedDict):
    """`GET /rules`."""

    generation: int
    rules: list[RuleInForce]


class PhaseSettings(TypedDict):
    """`PUT /phase`: `scale` multiplies the probability of each kind of fault."""

    name: str
    faults: bool
    scale: NotRequired[dict[str, float]]


def completed(counters: Mapping[str, Any]) -> GatewayCounters:
    """Return counters in which nothing is missing: what an older or cut journal does not say is 0 or empty."""
    return {
        "generation": counters.get("generation", 0),
        "seconds": counters.get("seconds", 0.0),
        "workers": counters.get("workers", 0),
        "connections": counters.get("connections", 0),
        "cpu_seconds": counters.get("cpu_seconds", 0.0),
        "phases": {
            phase: {key: _completed(rule) for key, rule in rules.items()}
            for phase, rules in counters.get("phases", {}).items()
        },
        "unmatched": counters.get("unmatched", 0),
    }


def _completed(rule: Mapping[str, Any]) -> RuleCounters:
    return {
        "requests": rule.get("requests", 0),
        "delay": rule.get("delay", 0),
        "abort": rule.get("abort", 0),
        "delay_abort": rule.get("delay_abort", 0),
        "forwarded": rule.get("forwarded", 0),
        "answered": rule.get("answered", 0),
        "mirrored": rule.get("mirrored", 0),
        "upstream_requests": rule.get("upstream_requests", 0),
        "upstream_failures": rule.get("upstream_failures", 0),
        "delay_seconds": rule.get("delay_seconds", 0.0),
        "destinations": rule.get("destinations", {}),
        "mirrors": rule.get("mirrors", {}),
        "statuses": rule.get("statuses", {}),
        "upstream_statuses": rule.get("upstream_statuses", {}),
        "tries": rule.get("tries", {}),
        "left": rule.get("left", {}),
        "left_to": rule.get("left_to", {}),
        "failures": rule.get("failures", {}),
    }
