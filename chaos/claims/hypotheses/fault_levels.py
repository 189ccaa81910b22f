"""Change the fault level in Istio documents, for ramps and searches.

Percentages and delays are changed in the documents themselves, so that the rules in force are ones that could be
applied to a mesh, and the expectations follow from the same text."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from chaos.claims.hypotheses.search import Quantity
from chaos.faults import FaultKind
from chaos.mesh.names import full_name
from chaos.mesh.read.kinds import GROUP
from chaos.mesh.source.writing import to_yaml_stream
from chaos.units import format_duration

Values = list[dict[str, Any]]


def istio_values(values: Iterable[Any]) -> Values:
    """Return the Istio documents among parsed ones, as a copy that may be changed."""
    return [
        copy.deepcopy(value)
        for value in values
        if isinstance(value, dict) and str(value.get("apiVersion", "")).startswith(f"{GROUP}/")
    ]


def as_text(values: Values) -> str:
    """Return the documents as a YAML stream."""
    return to_yaml_stream(values)


def at_level(values: Values, quantity: Quantity, level: float) -> Values:
    """Return the documents with every such fault of the host at this level (percent, or seconds for a fixedDelay).

    Raises ValueError if the host has no such fault."""
    made = copy.deepcopy(values)
    change = _CHANGES[quantity.what]
    changed = [change(fault, level) for fault in _faults(made, quantity.host)]
    if not any(changed):
        hosts = ", ".join(sorted({host for value in made for host in _hosts(value)})) or "none"
        kind = FaultKind.DELAY if quantity.in_seconds else quantity.what
        raise ValueError(
            f"no rule of {quantity.host} has a fault.{kind} that could vary; VirtualServices speak of {hosts}"
        )
    return made


def _faults(values: Values, host: str) -> Iterator[dict[str, Any]]:
    for value in values:
        if value.get("kind") == "VirtualService" and _speaks_of(value, host):
            for route in value.get("spec", {}).get("http") or ():
                if isinstance(route.get("fault"), dict):
                    yield route["fault"]


def _speaks_of(value: dict[str, Any], host: str) -> bool:
    namespace = (value.get("metadata") or {}).get("namespace") or "default"
    return full_name(host, namespace) in {full_name(each, namespace) for each in _hosts(value)}


def _hosts(value: dict[str, Any]) -> list[str]:
    return list((value.get("spec") or {}).get("hosts") or ()) if value.get("kind") == "VirtualService" else []


def _share(kind: str) -> Callable[[dict[str, Any], float], bool]:
    def change(fault: dict[str, Any], level: float) -> bool:
        if not isinstance(fault.get(kind), dict):
            return False
        fault[kind].pop("percent", None)
        fault[kind]["percentage"] = {"value": round(level, 4)}
        return True

    return change


def _fixed_delay(fault: dict[str, Any], level: float) -> bool:
    if not isinstance(fault.get("delay"), dict):
        return False
    fault["delay"]["fixedDelay"] = format_duration(max(round(level, 3), 0.001))
    return True


_CHANGES: dict[str, Callable[[dict[str, Any], float], bool]] = {
    **{kind.value: _share(kind) for kind in FaultKind},
    "fixedDelay": _fixed_delay,
}
