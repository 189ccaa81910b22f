"""Check DestinationRules against the services: unknown hosts (IST0174), subsets that select no endpoint (IST0173).

The endpoints of a Kubernetes Service are the pods that the files name, if they name any. And TLS without a CA, for the
host (IST0128) and for a port (IST0129). Source: istio analyzers destinationrule/{subset,ca-certificates}.go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chaos.mesh.check.analysis.destinations import unexported
from chaos.mesh.check.cursor import At
from chaos.mesh.check.known_services import KnownServices
from chaos.mesh.model.resources import Resource
from chaos.mesh.resolve.workloads import Workload

if TYPE_CHECKING:
    from chaos.mesh.model.destination_rule import ClientTLSSettings, DestinationRule

UNKNOWN_HOST, SELECTS_NOTHING = "IST0174", "IST0173"
UNVERIFIED, UNVERIFIED_PORT = "IST0128", "IST0129"

_PLACES = frozenset((
    "kubernetes.io/hostname", "topology.kubernetes.io/region", "topology.kubernetes.io/zone",
    "topology.istio.io/subzone", "topology.istio.io/cluster", "topology.istio.io/network",
))  # fmt: skip
"""Labels that a pod has from where it runs."""


def analyze_destination_rules(
    at: At, rule: Resource[DestinationRule], known: KnownServices, pods: Sequence[Workload]
) -> None:
    """Report on one DestinationRule; `at` points at its spec. `pods` are those that the files name."""
    _tls(at, rule)
    if not known:
        return
    host = rule.spec.host
    service = known.find(host, rule.namespace)
    if service is None:
        if not host.startswith("*"):
            hidden = unexported(host, rule.namespace, known)
            message = hidden or f"no service {host} is known"
            at.into("host").warn(f"{message}; the rule has no effect", UNKNOWN_HOST)
        return
    labels = service.labels if service.labels is not None else [pod.labels for pod in pods] or None
    for index, subset in enumerate(rule.spec.subsets):
        wanted = {**service.selector, **subset.labels}
        if labels is None or not _PLACES.isdisjoint(wanted) or any(wanted.items() <= each.items() for each in labels):
            continue
        what = "endpoint" if service.labels is not None else "pod"
        message = f"no {what} of {host} has the labels {', '.join(f'{key}={value}' for key, value in wanted.items())}"
        at.into("subsets", index).error(message, SELECTS_NOTHING)


def _tls(at: At, rule: Resource[DestinationRule]) -> None:
    policy = rule.spec.traffic_policy
    if policy is None:
        return
    here = at.into("trafficPolicy")
    _verified(here.into("tls"), policy.tls, UNVERIFIED)
    for index, port in enumerate(policy.port_level_settings):
        _verified(here.into("portLevelSettings", index, "tls"), port.tls, UNVERIFIED_PORT)


def _verified(at: At, tls: ClientTLSSettings | None, code: str) -> None:
    if tls is None or tls.mode not in ("SIMPLE", "MUTUAL") or tls.ca_certificates or tls.credential_name:
        return
    at.warn(f"mode {tls.mode} without caCertificates: the service's certificate may go unchecked", code)
