"""Which hosts exist for a proxy, and which VirtualService's rules each of them has.

A sidecar: one VirtualService per host, the first; registered services under all their aliases; a wildcard stands for
the registered services it covers. A gateway: what its servers admit, the rules of all VirtualServices of a host in
order, catch-alls last. Source: istio pilot/pkg/networking/core/route/route.go (BuildSidecarVirtualHostWrapper,
SortVHostRoutes), httproute.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from chaos.errors import Problem
from chaos.mesh.compile.rule import Route
from chaos.mesh.model.gateway import Gateway
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import (
    MESH,
    Proxy,
    admitted_hosts,
    aliases,
    covers,
    exported,
    full_name,
    intersection,
    is_wildcard,
    qualified,
    specificity,
)
from chaos.mesh.upstream.registry import Registry


@dataclass(frozen=True, slots=True, eq=False)
class VirtualHost:
    """Names that lead here, and the routes behind them. `owners`: the VirtualServices, none for a service's default
    route."""

    host: str
    domains: tuple[str, ...]
    routes: tuple[Route, ...]
    owners: tuple[Resource[VirtualService], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A VirtualService that exists for the proxy: its hosts in full, its routes; without routes it has no effect."""

    source: Resource[VirtualService]
    hosts: tuple[str, ...]
    routes: tuple[Route, ...]


def is_bound(resource: Resource[VirtualService], proxy: Proxy) -> bool:
    """Whether a VirtualService exists for the proxy: it has hosts, is bound to its gateway, and exported to its
    namespace."""
    spec = resource.spec
    gateways = {qualified(gateway, resource.namespace) for gateway in spec.gateways or (MESH,)}
    return (
        bool(spec.hosts)
        and proxy.gateway_name in gateways
        and exported(spec.export_to, resource.namespace, proxy.namespace)
    )


def full_hosts(resource: Resource[VirtualService]) -> tuple[str, ...]:
    return tuple(full_name(host, resource.namespace) for host in resource.spec.hosts)


@dataclass(slots=True)
class Claims:
    """Who answers to a name: the first that claims it."""

    taken: dict[str, str] = field(default_factory=dict)

    def claim(self, host: str, names: Iterable[str]) -> tuple[str, ...]:
        free = tuple(name for name in names if name not in self.taken)
        self.taken.update(dict.fromkeys(free, host))
        return free


def sidecar_hosts(
    bound: Sequence[Bound], registry: Registry, proxy: Proxy, default: dict[str, Route]
) -> tuple[list[VirtualHost], list[Problem]]:
    """`bound` in the order of precedence. `default` has the route of each registered service, by host."""
    effective = [entry for entry in bound if entry.routes]
    claims = Claims()
    owner: dict[str, Resource[VirtualService]] = {}
    hosts: list[VirtualHost] = []
    problems: list[Problem] = []
    best = _most_specific(effective, registry)
    for entry in effective:
        for host in entry.hosts:
            for name in _served(host, entry, registry, best):
                if name in owner:
                    if owner[name] is not entry.source:
                        problems.append(_ignored(entry.source, name, owner[name]))
                    continue
                owner[name] = entry.source
                domains = claims.claim(name, _names(name, registry, proxy))
                hosts.append(VirtualHost(name, domains, entry.routes, (entry.source,)))
    for host, route in default.items():
        if host not in owner:
            hosts.append(VirtualHost(host, claims.claim(host, aliases(host, proxy.namespace)), (route,)))
    return [host for host in hosts if host.domains], problems


def _names(host: str, registry: Registry, proxy: Proxy) -> tuple[str, ...]:
    return aliases(host, proxy.namespace) if host in registry.services else (host,)


def _served(host: str, entry: Bound, registry: Registry, best: dict[str, Bound]) -> list[str]:
    """What a VirtualService's host stands for: itself, or for a wildcard the services it is the best match of."""
    if not is_wildcard(host):
        return [host]
    covered = [service for service in registry.services if covers(host, service)]
    if not covered:
        return [host]
    return [service for service in covered if best[service] is entry]


def _most_specific(bound: Sequence[Bound], registry: Registry) -> dict[str, Bound]:
    """By service: the VirtualService with the most specific host for it; of several the first."""
    exact: dict[str, Bound] = {}
    wild: list[tuple[str, Bound]] = []
    for entry in bound:
        for host in entry.hosts:
            if is_wildcard(host):
                wild.append((host, entry))
            else:
                exact.setdefault(host, entry)
    wild.sort(key=lambda pair: specificity(pair[0]))  # stable: of equal ones the first stays first
    best: dict[str, Bound] = {}
    for service in registry.services if wild else ():
        found = exact.get(service) or next((entry for host, entry in wild if covers(host, service)), None)
        if found is not None:
            best[service] = found
    return best


def _ignored(resource: Resource[VirtualService], host: str, winner: Resource[VirtualService]) -> Problem:
    path = ("spec", "hosts")
    text = f"ignored for {host}: VirtualService {winner.namespace}/{winner.name} comes first (a sidecar uses only one)"
    return Problem(resource.locate(path), resource.path(path), text, "warning", "IST0109")


# ---------------------------------------------------------------------------------------------- gateway


def gateway_hosts(
    bound: Sequence[Bound], gateways: Iterable[Resource[Gateway]], proxy: Proxy, listener: int
) -> list[VirtualHost]:
    """The virtual hosts of the proxy's Gateway on its listener's port."""
    routes: dict[str, list[Route]] = {}
    owners: dict[str, list[Resource[VirtualService]]] = {}
    for gateway in gateways:
        if f"{gateway.namespace}/{gateway.name}" != proxy.gateway_name:
            continue
        for server in gateway.spec.servers:
            if server.port.number != listener:
                continue
            for entry in bound:
                admitted = admitted_hosts(server.hosts, gateway.namespace, entry.source.namespace)
                for host in intersection(admitted, entry.hosts) if entry.routes else ():
                    if entry.source not in owners.setdefault(host, []):
                        owners[host].append(entry.source)
                        routes.setdefault(host, []).extend(entry.routes)
    return [VirtualHost(host, (host,), catch_alls_last(routes[host]), tuple(owners[host])) for host in routes]


def catch_alls_last(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Stable: of each kind the order is kept (istio SortVHostRoutes)."""
    return tuple(sorted(routes, key=lambda route: route.match.is_catch_all))


def proxy_in_full(proxy: Proxy, gateways: Iterable[Resource[Gateway]]) -> Proxy:
    """With the namespace of its Gateway: the proxy's own, else that of the only Gateway of this name, since gateway
    workloads often live apart from the Gateways they serve."""
    if not proxy.is_gateway or "/" in proxy.gateway:
        return proxy
    namespaces = [gateway.namespace for gateway in gateways if gateway.name == proxy.gateway]
    namespace = namespaces[0] if len(set(namespaces)) == 1 else proxy.namespace
    return replace(proxy, gateway=f"{namespace}/{proxy.gateway}")


def listener_port(proxy: Proxy, gateways: Iterable[Resource[Gateway]]) -> int:
    """proxy.port; by default the first server's port of the proxy's Gateway, and 80 for a sidecar."""
    if proxy.port is not None:
        return proxy.port
    for gateway in gateways:
        if f"{gateway.namespace}/{gateway.name}" == proxy.gateway_name and gateway.spec.servers:
            return gateway.spec.servers[0].port.number
    return 80
