"""Hosts claimed twice: by VirtualServices for the mesh (IST0109), by Gateways on one port (IST0145).

Source: istio analyzers virtualservice/conflictingmeshgatewayhosts.go, gateway/conflictinggateway.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chaos.mesh.findings import At
from chaos.mesh.names import full_name
from chaos.mesh.resources import Resource, Resources
from chaos.mesh.validate_values import overlap
from chaos.mesh.validate_virtual_service import bound_to_mesh

if TYPE_CHECKING:
    from chaos.mesh.model_gateway import Gateway
    from chaos.mesh.model_virtual_service import VirtualService

CONFLICTING_HOSTS, CONFLICTING_GATEWAYS = "IST0109", "IST0145"

Cursor = Callable[[Resource[Any]], At]


def analyze_hosts(at: Cursor, resources: Resources) -> None:
    mesh = [service for service in resources.virtual_services if bound_to_mesh(service.spec)]
    for service in mesh:
        for index, host in enumerate(service.spec.hosts):
            rivals = [other for other in mesh if other is not service and _claims(other, service, host)]
            if rivals:
                at(service).into("hosts", index).error(_claimed(host, service, rivals), CONFLICTING_HOSTS)
                break
    for gateway in resources.gateways:
        for rival in resources.gateways:
            if rival is not gateway:
                _gateways(at(gateway), gateway, rival)


def _claims(other: Resource[VirtualService], service: Resource[VirtualService], host: str) -> bool:
    mine = full_name(host, service.namespace)
    return any(_same(service, mine, other, each) for each in other.spec.hosts)


def _claimed(host: str, service: Resource[VirtualService], rivals: list[Resource[VirtualService]]) -> str:
    first = min([service, *rivals], key=lambda each: each.precedence)
    counts = "this one" if first is service else f"{first.namespace}/{first.name}"
    others = ", ".join(f"{each.namespace}/{each.name} ({each.locate(('metadata', 'name'))})" for each in rivals[:3])
    more = f" and {len(rivals) - 3} more" if len(rivals) > 3 else ""
    return f"{host} belongs to {others}{more} too; for a sidecar only {counts} counts"


def _same(service: Resource[VirtualService], mine: str, other: Resource[VirtualService], host: str) -> bool:
    """Names are equal where both are seen by the same namespaces; where one is seen by all, wildcards count too."""
    theirs = full_name(host, other.namespace)
    here, there = _scopes(service), _scopes(other)
    if here & there:
        return mine == theirs
    return overlap(mine, theirs) if "*" in here | there else False


def _scopes(service: Resource[VirtualService]) -> set[str]:
    entries = service.spec.export_to
    if not entries or "*" in entries:
        return {"*"}
    return {service.namespace if entry == "." else entry for entry in entries}


def _gateways(at: At, gateway: Resource[Gateway], rival: Resource[Gateway]) -> None:
    if gateway.spec.selector != rival.spec.selector:
        return
    for index, server in enumerate(gateway.spec.servers):
        for other in rival.spec.servers:
            shared = set(server.hosts) & set(other.hosts)
            if server.port.number == other.port.number and server.bind == other.bind and shared:
                hosts = ", ".join(sorted(shared))
                message = f"{rival} admits {hosts} on port {server.port.number} too"
                at.into("servers", index).error(message, CONFLICTING_GATEWAYS)
