"""Export a resolved mesh as a bootstrap for Envoy: what `chaos export envoy` prints.

`chaos.mesh.resolve` settles which rules count, delegates, virtual hosts and DestinationRules, as for our own gateway;
here they only become Envoy's messages."""

from __future__ import annotations

import json
from collections.abc import Iterable

from chaos.engines.envoy.bootstrap import Message, bootstrap
from chaos.engines.envoy.clusters import cluster
from chaos.engines.envoy.policies import NO_FILTERS, PolicyFilters
from chaos.engines.envoy.virtual_hosts import virtual_hosts
from chaos.mesh.model.resources import Resources
from chaos.mesh.names import Proxy
from chaos.mesh.resolve.mesh import ResolvedMesh, resolve
from chaos.mesh.upstream.registry import Registry, Service
from chaos.policies.read import PolicyRead


def export_envoy(
    resources: Resources,
    registry: Registry,
    proxy: Proxy | None = None,
    *,
    listen: tuple[str, int] = ("127.0.0.1", 8080),
    admin: tuple[str, int] | None = None,
    policies: Iterable[PolicyRead] = (),
) -> Message:
    """Return the bootstrap of an Envoy that plays this proxy; `listen` is the address it really listens on. Raises
    InvalidInput for a policy that an Envoy cannot carry out."""
    filters = PolicyFilters.of(policies)
    return export_mesh(resolve(resources, registry, proxy), listen=listen, admin=admin, policies=filters)


def export_mesh(
    mesh: ResolvedMesh,
    *,
    listen: tuple[str, int] = ("127.0.0.1", 8080),
    admin: tuple[str, int] | None = None,
    policies: PolicyFilters = NO_FILTERS,
) -> Message:
    """Return the bootstrap of an Envoy that plays the proxy of a resolved mesh."""
    address, port = listen
    return bootstrap(
        virtual_hosts(mesh, policies),
        _clusters(mesh),
        address=address,
        port=port,
        gateway=mesh.proxy.is_gateway,
        ignore_port=mesh.only is not None,
        admin=admin,
        ahead=policies.filters(),
    )


def as_text(document: Message) -> str:
    """Return the document as indented JSON, which `envoy -c` reads."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _clusters(mesh: ResolvedMesh) -> list[Message]:
    """Return the clusters of every port of every service, and of every subset that a DestinationRule defines."""
    return [part for service in mesh.registry.services.values() for part in _service_clusters(service, mesh)]


def _service_clusters(service: Service, mesh: ResolvedMesh) -> list[Message]:
    rule = mesh.destination_rules.find(service.host, service.namespace)
    subsets = {subset.name: subset for subset in reversed(rule.subsets)} if rule is not None else {}
    return [
        cluster(service.host, number, port, rule, subset)
        for number, port in service.ports.items()
        for subset in (None, *subsets.values())
    ]
