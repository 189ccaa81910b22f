"""Which routes of which VirtualService a patch copies for a generation, and with which faults."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import nextafter
from typing import assert_never

from chaos.engines.envoy.filters import GRPC_STATUSES
from chaos.engines.envoy.values import duration
from chaos.engines.istio.marks import Json
from chaos.engines.istio.patch import Copied
from chaos.faults import AbortFault, DelayFault, RuleFault
from chaos.mesh.compile.rules import Rules
from chaos.mesh.compile.summary import RuleInfo

_OWN = 4  # parts of the key of a rule that is not a delegate's: virtualservice/namespace/name/index


def copies(
    rules: Rules, faults: Mapping[str, Sequence[RuleFault]], name: str, deeper: Collection[str] = ()
) -> list[Copied]:
    """Return the copies of the routes of the VirtualService `namespace/name`, each with the faults of its rule: of all
    its routes, so that each response says which rule it took. Those of rules that are `deeper`, by their keys, are for
    calls of applications."""
    found: dict[int, Copied] = {}
    for info in rules.rules:
        parts = info.rule.base_key.split("/")
        if info.virtual_service == name and len(parts) == _OWN:
            index = int(parts[-1])
            found.setdefault(index, Copied(index, info.name, fault(faults.get(info.key, ())), info.key in deeper))
    return list(found.values())


def delegated(rules: Rules) -> list[RuleInfo]:
    """Return the rules of delegates, which no patch of a root reaches."""
    return [info for info in rules.rules if not info.is_default and len(info.rule.base_key.split("/")) > _OWN]


def fault(faults: Sequence[RuleFault]) -> Json:
    """Return Istio's `fault`, empty if none fires."""
    made: Json = {}
    for each in faults:
        if each.percent.per_million:
            made[each.kind.value] = _part(each) | {"percentage": {"value": _percent(each.percent.per_million)}}
    return made


def _percent(per_million: int) -> float:
    """Return the percentage from which Istio gets so many parts in a million: it multiplies and cuts off."""
    value = per_million / 10_000
    return value if int(value * 10_000) == per_million else nextafter(value, 101.0)


def _part(fault: RuleFault) -> Json:
    match fault:
        case DelayFault():
            return {"fixedDelay": duration(fault.seconds)}
        case AbortFault():
            if fault.grpc_status is not None:
                return {"grpcStatus": GRPC_STATUSES[fault.grpc_status]}
            return {"httpStatus": fault.status}
        case _:
            assert_never(fault)
