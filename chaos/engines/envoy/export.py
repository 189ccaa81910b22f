"""Resources, services and a proxy in, a bootstrap for Envoy out: what `chaos export envoy` prints."""

from __future__ import annotations

import json
from collections.abc import Iterable

from chaos.engines.envoy.bootstrap import Json, bootstrap
from chaos.engines.envoy.clusters import cluster
from chaos.engines.envoy.mesh import MESH, Mesh, Service, gateway_name
from chaos.engines.envoy.routes import Client
from chaos.engines.envoy.virtual_hosts import gateway_hosts, sidecar_hosts
from chaos.mesh.resources import Resources


def export_envoy(
    resources: Resources,
    services: Iterable[Service],
    *,
    gateway: str = MESH,
    namespace: str = "default",
    labels: dict[str, str] | None = None,
    port: int = 80,
    listen: tuple[str, int] = ("127.0.0.1", 8080),
    admin: tuple[str, int] | None = None,
) -> Json:
    """`port` is the one that rules mean by the listener's port, `listen` where this Envoy really listens."""
    role = gateway_name(gateway, namespace)
    mesh = Mesh.of(resources, services, Client(port, namespace, labels or {}, role))
    if role == MESH:
        hosts = sidecar_hosts(mesh)
    else:
        named = [found for found in resources.gateways if f"{found.namespace}/{found.name}" == role]
        hosts = gateway_hosts(mesh, named[0] if named else None)
    address, listener_port = listen
    return bootstrap(hosts, _clusters(mesh), address=address, port=listener_port, gateway=role != MESH, admin=admin)


def as_text(document: Json) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _clusters(mesh: Mesh) -> list[Json]:
    """Every port of every service, and every subset of it that a DestinationRule defines."""
    return [part for service in mesh.services.values() for part in _service_clusters(service, mesh)]


def _service_clusters(service: Service, mesh: Mesh) -> list[Json]:
    rule = mesh.destination_rule(service.host)
    subsets = (None, *(rule.subsets if rule is not None else ()))
    return [
        cluster(service.host, port, endpoints, rule, subset)
        for port, endpoints in service.ports.items()
        for subset in subsets
    ]
