"""The settings of a rule for the filters before the router: faults and CORS, as `typed_per_filter_config` of its
route."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from chaos.engines.envoy.bootstrap import CORS_FILTER, FAULT_FILTER, Message, typed
from chaos.engines.envoy.match import means_present, string_matcher
from chaos.engines.envoy.values import duration, per_million
from chaos.faults import AbortFault, DelayFault, RuleFault
from chaos.mesh.model.virtual_service import Abort, CorsPolicy, Delay, HTTPFaultInjection, HTTPRoute

GRPC_STATUSES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip


def per_filter_config(rule: HTTPRoute) -> Message:
    """Return the settings by filter name; empty without faults and CORS."""
    configs: Message = {}
    fault = _fault(rule.fault) if rule.fault is not None else None
    if fault is not None:
        configs[FAULT_FILTER] = fault
    if rule.cors_policy is not None:
        configs[CORS_FILTER] = _cors(rule.cors_policy)
    return configs


def fault_filter(faults: Iterable[RuleFault]) -> Message | None:
    """Return the settings of the fault filter for faults as they are in force, or None without any that fires."""
    parts = {each.kind.value: _in_force(each) for each in faults if each.percent.per_million}
    return typed("extensions.filters.http.fault.v3.HTTPFault", **parts) if parts else None


def _in_force(fault: RuleFault) -> Message:
    share = {"percentage": {"numerator": fault.percent.per_million, "denominator": "MILLION"}}
    match fault:
        case DelayFault():
            return {"fixed_delay": duration(fault.seconds), **share}
        case AbortFault():
            status = {"http_status": fault.status} if fault.grpc_status is None else {"grpc_status": fault.grpc_status}
            return {**status, **share}
        case _:
            assert_never(fault)


def _fault(fault: HTTPFaultInjection) -> Message | None:
    """Return the fault, or None without effect (istio translateFault): a missing percentage counts as 0, and an abort
    without a status is dropped."""
    parts: Message = {}
    for kind, part in fault.given():
        match part:
            case Delay():
                written = _delay(part)
            case Abort():
                written = _abort(part)
            case _:
                assert_never(part)
        if written is not None:
            parts[kind.value] = written
    return typed("extensions.filters.http.fault.v3.HTTPFault", **parts) if parts else None


def _delay(delay: Delay) -> Message | None:
    if delay.fixed_delay is None:
        return None
    share: Message = {"numerator": delay.percent, "denominator": "HUNDRED"}
    if delay.percentage is not None:
        share = per_million(delay.percentage)
    return {"fixed_delay": duration(delay.fixed_delay), "percentage": share}


def _abort(abort: Abort) -> Message | None:
    share = per_million(abort.percentage) if abort.percentage is not None else {"numerator": 0}
    if abort.http_status is not None:
        return {"http_status": abort.http_status, "percentage": share}
    if abort.grpc_status is not None:
        return {"grpc_status": GRPC_STATUSES.index(abort.grpc_status), "percentage": share}
    return None


def _cors(policy: CorsPolicy) -> Message:
    """Return the CORS policy (istio translateCORSPolicy). Lists become one header value, joined by commas without a
    space."""
    config: Message = {
        "filter_enabled": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
        "forward_not_matching_preflights": policy.unmatched_preflights != "IGNORE",
    }
    origins = [string_matcher(origin) for origin in policy.allow_origins if not means_present(origin)]
    if not policy.allow_origins:
        origins = [{"exact": origin} for origin in policy.allow_origin]
    if origins:
        config["allow_origin_string_match"] = origins
    if policy.allow_credentials is not None:
        config["allow_credentials"] = policy.allow_credentials
    if policy.max_age is not None:
        config["max_age"] = str(int(policy.max_age))
    for name in ("allow_methods", "allow_headers", "expose_headers"):
        values = getattr(policy, name)
        if values:
            config[name] = ",".join(values)
    return typed("extensions.filters.http.cors.v3.CorsPolicy", **config)
