"""Which route takes a connection: the `tcp` and `tls` routes of VirtualServices, as a sidecar has them.

A sidecar has a listener for each port of a service that does not speak HTTP. Whoever plays one on a single machine says
which of them it stands for; a client's destination address is then that service's, and no other.

Source: istio buildSidecarOutboundTCPFilterChainOpts, buildSidecarOutboundTLSFilterChainOpts (tls.go),
buildOutboundNetworkFilters (networkfilter.go), GetDestinationCluster (route.go)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from chaos.errors import Location
from chaos.mesh.model.message import Destination
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import L4MatchAttributes, RouteDestination, TLSMatchAttributes, VirtualService
from chaos.mesh.names import MESH, Proxy, full_name, is_address, is_wildcard, overlap, qualified
from chaos.mesh.resolve.bindings import Bound
from chaos.mesh.resolve.mesh import ResolvedMesh
from chaos.mesh.upstream.registry import Registry, Service

HTTPS_PORT = 443
TLS = frozenset(("HTTPS", "TLS"))
"""Protocols of ports whose connections begin with TLS."""


@dataclass(frozen=True, slots=True)
class Target:
    """One destination of connections, with its weight, above 0; whether it exists shows when a connection goes
    there."""

    host: str
    port: int
    subset: str
    weight: int

    @property
    def label(self) -> str:
        """Its name: `host:port` or `host:port/subset`."""
        return f"{self.host}:{self.port}/{self.subset}" if self.subset else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ConnectionRule:
    """What becomes of connections: those of one route, or of a service without any. `owner` is the service whose
    DestinationRule counts for all of them, the first destination's."""

    key: str
    name: str
    location: Location | None
    targets: tuple[Target, ...]

    @property
    def owner(self) -> str:
        return self.targets[0].host

    @property
    def shares(self) -> dict[str, float]:
        """The share of each destination by its label; one that is listed twice has the sum."""
        total, found = sum(each.weight for each in self.targets), dict.fromkeys((t.label for t in self.targets), 0.0)
        for each in self.targets:
            found[each.label] += each.weight / total
        return found


@dataclass(frozen=True, slots=True)
class Chain:
    """Connections with one of these server names (SNI), and their rule; without names, all others."""

    server_names: tuple[str, ...]
    rule: ConnectionRule


def tcp_chain(mesh: ResolvedMesh, host: str, port: int) -> Chain:
    """Return where connections to a service's port go; the service exists, and its port speaks neither HTTP nor TLS."""
    registry, bound = _here(mesh, port)
    service = registry.services[host]
    for owner in _for_host(bound, host):
        for index, route in enumerate(owner.spec.tcp):
            taken = any(_counts(match, mesh.proxy, owner, port, service) for match in route.match)
            if route.route and (taken or not route.match):
                return Chain((), _rule(owner, "tcp", index, route.route, port, mesh))
    return Chain((), _own(service, port))


def tls_chains(mesh: ResolvedMesh) -> tuple[Chain, ...]:
    """Return where connections with TLS go, by their server name: of every port that speaks it, 443 first. A name that
    two rules have goes to the first; `*` is the last resort."""
    found: list[Chain] = []
    taken: set[str] = set()
    for port in tls_ports(mesh):
        registry, bound = _here(mesh, port)
        for service in registry.services.values():
            if port in service.ports and service.ports[port].protocol in TLS and not service.stands_for:
                for chain in _tls_chains_of(service, port, bound, registry, mesh):
                    names = [name for name in map(str.lower, chain.server_names) if name not in taken]
                    taken.update(names)
                    if names:
                        found.append(Chain(() if "*" in names else tuple(dict.fromkeys(names)), chain.rule))
    return (*(each for each in found if each.server_names), *[each for each in found if not each.server_names][:1])


def tls_ports(mesh: ResolvedMesh) -> list[int]:
    """Return the ports on which some service speaks TLS, 443 first."""
    services = mesh.registry.services.values()
    ports = {number for each in services for number, port in each.ports.items() if port.protocol in TLS}
    return sorted(ports, key=lambda port: (port != HTTPS_PORT, port))


def _tls_chains_of(
    service: Service, port: int, bound: Sequence[Bound], registry: Registry, mesh: ResolvedMesh
) -> Iterator[Chain]:
    """Yield the chains of a service's port; its own without any of a VirtualService."""
    any_match = False
    for owner in _for_host(bound, service.host):
        for index, route in enumerate(owner.spec.tls):
            for match in route.match if route.route else ():
                if _counts(match, mesh.proxy, owner, port, service):
                    any_match = True
                    yield Chain(match.sni_hosts, _rule(owner, "tls", index, route.route, port, mesh))
    if not any_match:
        names = registry.names(service, mesh.proxy.namespace)
        yield Chain(tuple(name for name in names if not is_address(name)), _own(service, port))


def _here(mesh: ResolvedMesh, port: int) -> tuple[Registry, Sequence[Bound]]:
    """Return the services and VirtualServices that the proxy sees on a port."""
    if mesh.scope is None:
        return mesh.registry, mesh.bound
    here = mesh.scope.at(port)
    return (here.registry, here.bound) if here is not None else (Registry(), ())


def _for_host(bound: Iterable[Bound], host: str) -> Iterator[Resource[VirtualService]]:
    """Yield the VirtualServices that name a service: all of them count, one after the other."""
    for each in bound:
        if any(_means(name, host.lower()) for name in map(str.lower, each.hosts)):
            yield each.source


def _means(name: str, host: str) -> bool:
    return name == host or ((is_wildcard(name) or is_wildcard(host)) and overlap(name, host))


def _counts(
    match: L4MatchAttributes | TLSMatchAttributes,
    proxy: Proxy,
    owner: Resource[VirtualService],
    port: int,
    service: Service,
) -> bool:
    """Return whether an entry counts for this proxy and port (istio matchTCP, matchTLS), and for the service's
    addresses if it names some."""
    gateways = {qualified(gateway, owner.namespace) for gateway in match.gateways}
    return (
        (not gateways or MESH in gateways)
        and all(proxy.labels.get(key) == value for key, value in match.source_labels.items())
        and match.port in (0, port)
        and match.source_namespace in ("", proxy.namespace)
        and (not match.destination_subnets or _within(service.addresses, match.destination_subnets))
    )


def _within(addresses: Iterable[str], subnets: Iterable[str]) -> bool:
    networks = [ip_network(subnet, strict=False) for subnet in subnets]
    return any(ip_address(address) in network for address in filter(is_address, addresses) for network in networks)


def _rule(
    owner: Resource[VirtualService],
    kind: str,
    index: int,
    routes: Sequence[RouteDestination],
    port: int,
    mesh: ResolvedMesh,
) -> ConnectionRule:
    drawn = routes if len(routes) == 1 else [each for each in routes if each.weight]
    return ConnectionRule(
        f"virtualservice/{owner.namespace}/{owner.name}/{kind}/{index}",
        f"{owner.name}.{kind}[{index}]",
        owner.locate(("spec", kind, index)),
        tuple(_target(each.destination, each.weight or 1, owner.namespace, port, mesh) for each in drawn),
    )


def _target(destination: Destination, weight: int, namespace: str, listener: int, mesh: ResolvedMesh) -> Target:
    """Return a destination. Its port is the one that it names, else the service's only one, else the listener's."""
    host = full_name(destination.host, namespace)
    service = mesh.registry.destination(host)
    number = destination.port.number if destination.port is not None else None
    if not number:
        number = next(iter(service.ports)) if service is not None and len(service.ports) == 1 else listener
    return Target(service.host if service is not None else host, number, destination.subset, weight)


def _own(service: Service, port: int) -> ConnectionRule:
    name = f"{service.host}:{port}"
    return ConnectionRule(f"service/{name}", name, None, (Target(service.host, port, "", 1),))
