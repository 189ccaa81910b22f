"""Which VirtualServices apply to a proxy, and in which order.

Source: istio push_context.go (VirtualServicesForGateway: private ones, then those exported by name, then public ones),
config.go sortConfigByCreationTime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chaos.errors import Problem
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import MESH, Proxy, exported, full_name, qualified
from chaos.mesh.resolve.delegate import EffectiveRule, effective_rules


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A VirtualService that applies to the proxy: its hosts in full, and its rules with delegates merged in."""

    source: Resource[VirtualService]
    hosts: tuple[str, ...]
    rules: tuple[EffectiveRule, ...]


def bound_virtual_services(resources: Resources, proxy: Proxy) -> tuple[list[Bound], list[Problem]]:
    """Return those that apply to the proxy, by precedence, and the problems with delegates."""
    known: Mapping[tuple[str, str], Resource[VirtualService]] = {
        (each.namespace, each.name): each for each in resources.virtual_services
    }
    found: list[Bound] = []
    problems: list[Problem] = []
    for resource in sorted(resources.virtual_services, key=lambda each: precedence(each, proxy.namespace)):
        if is_bound(resource, proxy):
            rules, trouble = effective_rules(resource, known)
            problems += trouble
            found.append(Bound(resource, full_hosts(resource), tuple(rules)))
    return found, problems


def precedence(resource: Resource[VirtualService], namespace: str) -> tuple[int, tuple[datetime, str, str]]:
    """Return Istio's sort key: VirtualServices that only this namespace sees, then those exported to it by name, then
    public ones; each group by age."""
    return _visibility(resource, namespace), resource.precedence


def _visibility(resource: Resource[VirtualService], namespace: str) -> int:
    export_to = resource.spec.export_to
    if not export_to or "*" in export_to:
        return 2
    private = resource.namespace == namespace and bool({".", namespace} & set(export_to))
    return 0 if private else 1


def is_bound(resource: Resource[VirtualService], proxy: Proxy) -> bool:
    """Return whether a VirtualService applies to the proxy: it has hosts, is bound to its gateway, and is exported to
    its namespace."""
    spec = resource.spec
    gateways = {qualified(gateway, resource.namespace) for gateway in spec.gateways or (MESH,)}
    return (
        bool(spec.hosts)
        and not gateways.isdisjoint(proxy.gateway_names)
        and exported(spec.export_to, resource.namespace, proxy.namespace)
    )


def full_hosts(resource: Resource[VirtualService]) -> tuple[str, ...]:
    return tuple(full_name(host, resource.namespace) for host in resource.spec.hosts)
