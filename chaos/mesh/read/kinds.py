"""Which kinds of objects are read, and what is said of those that are not.

Istio's other kinds are skipped: with a warning where they would change what a caller gets, else with a line of
information. All further kinds of a file, which are Kubernetes' own and those of other projects, share one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from chaos.errors import Severity
from chaos.mesh.model.message import Message
from chaos.mesh.read.shape import Wording, one_of, shown, suggestion

GROUP = "networking.istio.io"
VERSIONS = ("v1", "v1beta1", "v1alpha3")
KINDS = ("VirtualService", "DestinationRule", "ServiceEntry", "Gateway", "Sidecar")
SERVICE = "Service"  # Kubernetes' own: it says which ports a host has and what they speak
EXPERIMENT = "chaos/v1alpha1"
OURS = {"Experiment": "an Experiment", "RoutingTest": "a RoutingTest", "FaultPolicy": "a FaultPolicy"}
"""Our own kinds, which say nothing of the mesh, with their articles."""
WORKLOADS = {
    "Pod": "v1", "Deployment": "apps", "StatefulSet": "apps", "DaemonSet": "apps", "ReplicaSet": "apps", "Job": "batch",
    "CronJob": "batch",
}  # fmt: skip
"""Kinds that are Pods or make some, each with its group (`v1` for the core group): they say which labels there are."""

GATEWAY_API = "gateway.networking.k8s.io"
GATEWAY_API_ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")

_ISTIO_GROUPS = (GROUP, "security.istio.io", "telemetry.istio.io", "extensions.istio.io")
_CORE = {
    "Binding", "ComponentStatus", "ConfigMap", "Endpoints", "Event", "LimitRange", "Namespace", "Node",
    "PersistentVolume", "PersistentVolumeClaim", "PodTemplate", "ReplicationController", "ResourceQuota", "Secret",
    "ServiceAccount",
}  # fmt: skip
_SHOWN = 6


def is_kubernetes(kind: str, version: str) -> bool:
    """Return whether it is one of Kubernetes' own kinds that are read: a Service, a Pod, or what makes Pods."""
    if kind == SERVICE:
        return version == "v1"
    wanted = WORKLOADS.get(kind)
    return version == wanted or (wanted not in (None, "v1") and version.partition("/")[0] == wanted)


def unknown_kind(kind: str, version: str) -> Wording | None:
    """Return what is wrong with a kind that is not read; None if it is another project's, and only skipped."""
    group, slash, _ = version.rpartition("/")
    if kind in POLICIES and (group.endswith(".istio.io") or group == "istio.io"):
        return None
    if group in _ISTIO_GROUPS or group == "chaos" or (not slash and kind not in _CORE):
        hint = suggestion(kind, [*KINDS, *OURS], f"expected {one_of([*KINDS, 'Experiment'])}")
        return hint.after(f"unknown kind {shown(kind)}")
    return None


# ------------------------------------------------------------------------------ Istio's kinds that are not read


def _peer_authentication(spec: Any) -> str:
    modes = [_get(spec, "mtls", "mode")]
    ports = _get(spec, "portLevelMtls")
    modes += [_get(port, "mode") for port in ports.values()] if isinstance(ports, dict) else []
    return "with STRICT a cluster resets every caller without a sidecar" if "STRICT" in modes else ""


def _authorization_policy(spec: Any) -> str:
    return "" if _get(spec, "action") == "AUDIT" else "a cluster answers 403 to requests that it does not allow"


def _request_authentication(spec: Any) -> str:
    return "a cluster answers 401 to a token that is not valid" if _get(spec, "jwtRules") else ""


def _envoy_filter(spec: Any) -> str:
    return "it changes the proxies in ways that are not played here" if _get(spec, "configPatches") else ""


def _wasm_plugin(spec: Any) -> str:
    return "its code may answer or change any request in a cluster"


def _workload_entry(spec: Any) -> str:
    return "the endpoints of its ServiceEntry are those of spec.services here"


def _none(spec: Any) -> str:
    return ""


POLICIES = {
    "AuthorizationPolicy": _authorization_policy,
    "EnvoyFilter": _envoy_filter,
    "PeerAuthentication": _peer_authentication,
    "ProxyConfig": _none,
    "RequestAuthentication": _request_authentication,
    "Telemetry": _none,
    "WasmPlugin": _wasm_plugin,
    "WorkloadEntry": _workload_entry,
    "WorkloadGroup": _none,
}
"""Istio's kinds that are skipped; each function returns how one would change what a caller gets, if it would."""


def skipped_policy(kind: str, value: dict[str, Any]) -> tuple[str, Severity]:
    """Return what is said of an object of POLICIES."""
    effect = POLICIES[kind](value.get("spec"))
    if effect:
        return f"this {kind} is not played: {effect}", "warning"
    return f"this {kind} is skipped: it changes no response", "info"


def _get(value: Any, *path: str) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def summary(kinds: Iterable[str]) -> str:
    """Return the line about all objects of other kinds in a file."""
    counted = Counter(kinds)
    names = [kind if number == 1 else f"{number} {kind}" for kind, number in counted.items()]
    if len(names) > _SHOWN:
        names = [*names[:_SHOWN], f"{len(names) - _SHOWN} other kinds"]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"not used here: {listed}"


# ------------------------------------------------------------------------------ models


def model_of(kind: str) -> type[Message]:
    """Return the model of a kind's spec. It is imported on first use: most files have VirtualServices alone."""
    if kind == "VirtualService":
        from chaos.mesh.model.virtual_service import VirtualService

        return VirtualService
    if kind == "DestinationRule":
        from chaos.mesh.model.destination_rule import DestinationRule

        return DestinationRule
    if kind == "ServiceEntry":
        from chaos.mesh.model.service_entry import ServiceEntry

        return ServiceEntry
    if kind == "Gateway":
        from chaos.mesh.model.gateway import Gateway

        return Gateway
    if kind == "Sidecar":
        from chaos.mesh.model.sidecar import Sidecar

        return Sidecar
    return _kubernetes_model(kind)


def _kubernetes_model(kind: str) -> type[Message]:
    if kind == SERVICE:
        from chaos.mesh.model.kubernetes_service import KubernetesService

        return KubernetesService
    from chaos.mesh.model import workload

    return workload.Pod if kind == "Pod" else workload.CronJob if kind == "CronJob" else workload.PodMaker
