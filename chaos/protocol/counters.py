"""What the gateway's admin API says and takes, as typed JSON (docs/protocol.md)."""

from __future__ import annotations

from typing import NotRequired, TypedDict

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: the upper bounds of the classes into which the times of upstream are counted."""

WITHIN = (*map(str, BOUNDS), "+Inf")
"""The classes' names, as Prometheus writes its `le`."""


class RuleCounters(TypedDict):
    """What the gateway counted of one rule in one phase. `faults` counts the requests that met a fault, by its tag as
    in `x-chaos-fault` (chaos/faults.py); keys of the other tables are cluster labels, statuses (0: the client left
    first), statuses of upstream responses and numbers of attempts. Of clients that left before their response, `left`
    counts the tags of the faults drawn for them (empty for none), and `left_to` the clusters they were for.
    `undrawn` counts, by kind of fault, those of them for which it was not drawn: an Envoy draws an abort once the delay
    is over, ours draws both at once and does not say it. `unlogged` are requests that an access log does not tell of.
    Of forwarded requests `answered` had their response from upstream; `failures` had none, or not all of it, by Envoy's
    response flag (UH, UF, UC ...).
    Of responses that came from upstream and were passed on, `upstream_times` counts by class (`WITHIN`) how long their
    heads took from when the request was sent; `upstream_seconds` is the sum."""

    requests: int
    faults: dict[str, int]
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
    upstream_seconds: float
    upstream_times: dict[str, int]
    undrawn: NotRequired[dict[str, int]]
    unlogged: NotRequired[int]


class LogInfo(TypedDict):
    """The access log that counters were made of: how many `lines` came, and how many of them were `found` to be of the
    run's requests. `attempts`: it says how many each request took. `foreign` is the name of a cluster that is not made
    as Istio makes them, `trouble` why it tells nothing at all; both empty without. `final`: no more will come."""

    lines: int
    found: int
    attempts: bool
    foreign: str
    final: bool
    trouble: str


class PolicyCounters(TypedDict):
    """What the gateway counted of one policy in one phase, while it was in force: of `targeted` requests (or attempts)
    `met` its fault; `full` were spared because as many as allowed were under it already. Of clients that left before
    they could see anything, `left_met` were to meet it, of `left` in all. Of
    `preceded` another policy has answered or ended the request first."""

    targeted: int
    met: int
    full: int
    left: int
    left_met: int
    preceded: int


class GatewayCounters(TypedDict):
    """`GET /counters`: per phase and rule key, summed over all workers; `by_hand` as in `GET /faults`. Older gateways
    do not say it. `log` is there when they come from an access log; `policies` has those of each phase by name."""

    generation: int
    seconds: float
    workers: int
    connections: int
    cpu_seconds: float
    phases: dict[str, dict[str, RuleCounters]]
    unmatched: int
    by_hand: NotRequired[list[str]]
    log: NotRequired[LogInfo | None]
    policies: NotRequired[dict[str, dict[str, PolicyCounters]]]


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


class RuleFaults(TypedDict):
    """`GET /faults/KEY`: a rule's fault levels (chaos/protocol/fault_levels.py), as they are now and as the rules have
    them."""

    key: str
    name: str
    where: str
    hosts: list[str]
    levels: dict[str, float | str]
    configured: dict[str, float | str]


class FaultsInForce(TypedDict):
    """`GET /faults`: whether faults are on, and every rule's levels. `by_hand` says what somebody has set, each as
    `chaos ctl` writes it: `faults off`, `webserver[0].abort=10`."""

    enabled: bool
    by_hand: list[str]
    rules: list[RuleFaults]


class PhaseSettings(TypedDict):
    """`PUT /phase`: `scale` multiplies the probability of each kind of fault."""

    name: str
    faults: bool
    scale: NotRequired[dict[str, float]]
