"""Resolved virtual hosts as Envoy's: one list for all listeners of the proxy, distinguished by the port in Host.

A sidecar has an Envoy listener for each port; this Envoy has one socket for all of them, as our gateway does: the port
that Host names selects the listener, 80 without one."""

from __future__ import annotations

from chaos.engines.envoy.bootstrap import Message
from chaos.engines.envoy.clusters import cluster_name, hash_policy
from chaos.engines.envoy.policies import NO_FILTERS, PolicyFilters, Served
from chaos.engines.envoy.routes import default_route, routes
from chaos.mesh.model.message import Destination
from chaos.mesh.names import HTTP_PORT, covers, full_name
from chaos.mesh.resolve.hashing import consistent_hash
from chaos.mesh.resolve.mesh import Listener, ResolvedMesh
from chaos.mesh.resolve.virtual_hosts import VirtualHost


class MeshDestinations:
    """Destinations as the rules of one listener mean them."""

    def __init__(self, mesh: ResolvedMesh, port: int):
        self._mesh = mesh
        self._port = port

    def cluster(self, destination: Destination, namespace: str) -> str:
        """Return a cluster's name; whether it exists shows when a request goes there."""
        host = full_name(destination.host, namespace)
        return cluster_name(host, self._port_of(host, destination), destination.subset)

    def _port_of(self, host: str, destination: Destination) -> int:
        """Return the port that it names, else for a Gateway the service's only one, else the listener's (istio
        GetDestinationCluster)."""
        if destination.port is not None and destination.port.number:
            return destination.port.number
        service = self._mesh.registry.destination(host)
        if self._mesh.proxy.is_gateway and service is not None and len(service.ports) == 1:
            return next(iter(service.ports))
        return self._port

    def hash_policy(self, destination: Destination, namespace: str) -> Message | None:
        """Return the policy of the nearest consistentHash, or None (istio HashForHTTPDestination). A port's counts if
        the destination names the port."""
        host = full_name(destination.host, namespace)
        port = destination.port.number if destination.port is not None else None
        return self._hash_policy(host, destination.subset, port)

    def default_hash_policy(self, host: str) -> Message | None:
        """Return the policy for a service's default route, which always names the port."""
        return self._hash_policy(host, "", self._port)

    def _hash_policy(self, host: str, wanted: str, port: int | None) -> Message | None:
        service = self._mesh.registry.get(host)
        rule = self._mesh.destination_rules.find(host, service.namespace if service else "")
        return hash_policy(consistent_hash(rule, wanted, port))


def virtual_hosts(mesh: ResolvedMesh, policies: PolicyFilters = NO_FILTERS) -> list[Message]:
    """Return all virtual hosts, those of the listener for requests without a port first. Raises InvalidInput for a
    policy that an Envoy cannot carry out."""
    found = [
        _policed(
            _virtual_host(host, listener, mesh, require_tls=any(covers(name, host.host) for name in mesh.redirected)),
            policies.per_host(Served(host.host, listener.port)),
        )
        for listener in mesh.listeners
        for host in listener.virtual_hosts
    ]
    served = {host.host for listener in mesh.listeners for host in listener.virtual_hosts}
    return found + [_only_tls(name) for name in sorted(mesh.redirected - served)]


def _virtual_host(host: VirtualHost, listener: Listener, mesh: ResolvedMesh, *, require_tls: bool) -> Message:
    destinations = MeshDestinations(mesh, listener.port)
    if host.service is not None:
        cluster = cluster_name(host.service.host, listener.port, "")
        translated = [default_route(cluster, destinations.default_hash_policy(host.service.host))]
    else:
        translated = routes(host.entries, listener.port, destinations)
    found: Message = {
        "name": f"{host.host}:{listener.port}",
        "domains": _domains(host, listener, mesh),
        "routes": translated,
        "include_request_attempt_count": True,
    }
    if require_tls:
        found["require_tls"] = "ALL"
    return found


def _policed(host: Message, settings: Message) -> Message:
    """Return a virtual host with the settings of policies. What no route takes has to find one, or it would meet
    none."""
    if not settings:
        return host
    nobody: Message = {"match": {"prefix": "/"}, "direct_response": {"status": 404}}
    return {**host, "routes": [*host["routes"], nobody], "typed_per_filter_config": settings}


def _domains(host: VirtualHost, listener: Listener, mesh: ResolvedMesh) -> list[str]:
    """Return the domains. The port in Host is part of the name unless the proxy has only one listener."""
    if mesh.only is not None:
        return list(host.domains)
    with_port = [f"{name}:{listener.port}" for name in host.domains]
    return [*host.domains, *with_port] if listener.port == HTTP_PORT else with_port


def _only_tls(name: str) -> Message:
    return {"name": name, "domains": [name], "routes": [], "require_tls": "ALL"}
