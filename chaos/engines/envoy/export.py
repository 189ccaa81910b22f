"""Resources, services and a proxy in, a bootstrap for Envoy out: what `chaos export envoy` prints."""

from __future__ import annotations

import json
from collections.abc import Iterable

from chaos.engines.envoy.bootstrap import Json, bootstrap
from chaos.engines.envoy.clusters import cluster
from chaos.engines.envoy.mesh import MESH, Mesh, Service, gateway_name
from chaos.engines.envoy.routes import Client
from chaos.engines.envoy.virtual_hosts import gateway_hosts, sidecar_hosts
from chaos.mesh.model.gateway import Gateway
from chaos.mesh.model.resources import Resource, Resources


def export_envoy(
    resources: Resources,
    services: Iterable[Service],
    *,
    gateway: str = MESH,
    namespace: str = "default",
    labels: dict[str, str] | None = None,
    port: int | None = None,
    listen: tuple[str, int] = ("127.0.0.1", 8080),
    admin: tuple[str, int] | None = None,
) -> Json:
    """`port` is the one that rules mean by the listener's port, by default 80 or that of the Gateway's first server;
    `listen` is where this Envoy really listens. A Gateway of the name in another namespace is taken when it is the only
    one."""
    served = _gateway(resources, gateway, namespace)
    role = f"{served.namespace}/{served.name}" if served else gateway_name(gateway, namespace)
    if port is None:
        port = served.spec.servers[0].port.number if served and served.spec.servers else 80
    mesh = Mesh.of(resources, services, Client(port, namespace, labels or {}, role))
    hosts = sidecar_hosts(mesh) if role == MESH else gateway_hosts(mesh, served)
    address, listener_port = listen
    return bootstrap(hosts, _clusters(mesh), address=address, port=listener_port, gateway=role != MESH, admin=admin)


def _gateway(resources: Resources, name: str, namespace: str) -> Resource[Gateway] | None:
    role = gateway_name(name, namespace)
    exact = [found for found in resources.gateways if f"{found.namespace}/{found.name}" == role]
    if exact or "/" in name:
        return exact[0] if exact else None
    alike = [found for found in resources.gateways if found.name == name]
    return alike[0] if len({found.namespace for found in alike}) == 1 else None


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
