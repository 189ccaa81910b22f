"""What a Sidecar leaves of the mesh for a proxy: the services and VirtualServices that the hosts of each of its egress
listeners import, and the services that those VirtualServices lead to.

Source: istio pilot/pkg/model/sidecar.go (convertIstioListenerToWrapper, selectServices, collectImportedServices),
virtualservice.go (SelectVirtualServices), push_context.go (initSidecarScopes, getSidecarScope)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chaos.mesh.model.message import Destination
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.sidecar import IstioEgressListener, Sidecar, SidecarPort
from chaos.mesh.model.virtual_service import HTTPRoute
from chaos.mesh.names import ROOT_NAMESPACE, Proxy, covers, full_name, is_wildcard, overlap
from chaos.mesh.resolve.bindings import Bound
from chaos.mesh.resolve.delegate import EffectiveRule
from chaos.mesh.upstream.protocols import may_be_http, protocol_of
from chaos.mesh.upstream.registry import Registry, Service

_ANY = "*"


def sidecar_of(sidecars: Iterable[Resource[Sidecar]], proxy: Proxy) -> Resource[Sidecar] | None:
    """Return the Sidecar that counts for a proxy, None if none does.

    Of its own namespace those with a selector come first, then the oldest without one; else that of the root namespace
    without a selector counts. A Gateway's proxy has none."""
    if proxy.is_gateway:
        return None
    ordered = sorted(sidecars, key=lambda each: (each.spec.workload_selector is None, each.precedence))
    for each in ordered:
        selector = each.spec.workload_selector
        if each.namespace == proxy.namespace and (selector is None or selector.labels.items() <= proxy.labels.items()):
            return each
    shared = (each for each in ordered if each.namespace == ROOT_NAMESPACE and each.spec.workload_selector is None)
    return next(shared, None)


@dataclass(frozen=True, slots=True)
class Imports:
    """Egress hosts, by namespace (`*` for all): those imported, and those taken away again."""

    taken: Mapping[str, tuple[str, ...]]
    excluded: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, hosts: Iterable[str], namespace: str) -> Imports:
        """Read egress hosts; `.` is the proxy's namespace."""
        taken: dict[str, tuple[str, ...]] = {}
        excluded: dict[str, tuple[str, ...]] = {}
        for entry in hosts:
            owner, slash, name = entry.partition("/")
            if not slash:
                continue
            kept = excluded if owner.startswith("~") else taken
            owner = owner.removeprefix("~") or _ANY
            owner = namespace if owner == "." else owner
            kept[owner] = (*kept.get(owner, ()), name)
        return cls(taken, excluded)

    def service(self, host: str, namespace: str) -> bool:
        """Return whether a service is imported."""
        return any(covers(each, host) for each in _both(self.taken, namespace)) and not self._excludes(host, namespace)

    def rules(self, hosts: Iterable[str], namespace: str) -> bool:
        """Return whether a VirtualService with these hosts is imported: one of its hosts is, or overlaps one that is
        where either is a wildcard."""
        wanted = _both(self.taken, namespace)
        return any(
            (host in wanted or any(_touches(host, each) for each in wanted)) and not self._excludes(host, namespace)
            for host in hosts
        )

    def _excludes(self, host: str, namespace: str) -> bool:
        return any(covers(each, host) for each in _both(self.excluded, namespace))


def _both(hosts: Mapping[str, tuple[str, ...]], namespace: str) -> tuple[str, ...]:
    return (*hosts.get(namespace, ()), *hosts.get(_ANY, ()))


def _touches(one: str, other: str) -> bool:
    return (is_wildcard(one) or is_wildcard(other)) and overlap(one, other)


@dataclass(frozen=True, slots=True, eq=False)
class EgressScope:
    """What one egress listener imports. `port` is None for the listener of all ports that no other one names."""

    port: SidecarPort | None
    registry: Registry
    bound: tuple[Bound, ...]

    def serves(self, port: int) -> bool:
        """Return whether it is the listener of a port."""
        return self.port is None or self.port.number == port

    @property
    def ports(self) -> set[int]:
        """The ports on which it has a listener for HTTP."""
        if self.port is not None and not may_be_http(protocol_of(self.port.protocol)):
            return set()
        services = self.registry.services.values()
        return {port for service in services for port in service.ports if service.speaks_http(port)}


@dataclass(frozen=True, slots=True, eq=False)
class SidecarScope:
    """What a Sidecar leaves. `registry` has all services that rules can lead to."""

    source: Resource[Sidecar]
    listeners: tuple[EgressScope, ...]
    registry: Registry

    def at(self, port: int) -> EgressScope | None:
        """Return the egress listener of a port, None if there is none."""
        return next((each for each in self.listeners if each.serves(port)), None)

    @property
    def ports(self) -> set[int]:
        """The ports on which there is a listener for HTTP."""
        found = {port for each in self.listeners for port in each.ports}
        return {port for port in found if (scope := self.at(port)) is not None and port in scope.ports}


def scope_of(source: Resource[Sidecar], bound: Sequence[Bound], registry: Registry, proxy: Proxy) -> SidecarScope:
    """Return what a Sidecar leaves of the VirtualServices and services that the proxy's namespace sees."""
    egress = source.spec.egress or (IstioEgressListener(hosts=("*/*",)),)
    listeners = tuple(_listener(each, bound, registry, proxy) for each in egress)
    services: dict[str, Service] = {}
    for each in listeners:
        for service in each.registry.services.values():
            _add(services, service)
        for host, ports in _destinations(each.bound, proxy.namespace):
            found = registry.get(host)
            if found is not None:
                _add(services, _narrowed(found, each.port, ports))
    return SidecarScope(source, listeners, Registry(services))


def _listener(egress: IstioEgressListener, bound: Sequence[Bound], registry: Registry, proxy: Proxy) -> EgressScope:
    imports = Imports.of(egress.hosts, proxy.namespace)
    port = egress.port if egress.port is not None and egress.port.number else None
    services = {
        host: found
        for host, service in registry.services.items()
        if imports.service(service.host, service.namespace) and (found := _narrowed(service, port, frozenset((0,))))
    }
    rules = tuple(each for each in bound if imports.rules(each.hosts, each.source.namespace))
    return EgressScope(port, Registry(services), rules)


def _narrowed(service: Service, port: SidecarPort | None, ports: frozenset[int]) -> Service | None:
    """Return the service with the listener's port alone or, on a listener without one, with the ports that destinations
    name (0: all); None if it has none of them."""
    wanted = ports if port is None else frozenset((port.number,))
    if 0 in wanted:
        return service
    kept = {number: each for number, each in service.ports.items() if number in wanted}
    return replace(service, ports=kept) if kept else None


def _add(services: dict[str, Service], service: Service | None) -> None:
    if service is None:
        return
    known = services.get(service.host)
    services[service.host] = service if known is None else replace(known, ports={**service.ports, **known.ports})


def _destinations(bound: Iterable[Bound], namespace: str) -> Iterator[tuple[str, frozenset[int]]]:
    """Yield the hosts of all destinations and mirrors of rules for callers of this namespace, each with the ports that
    are named; 0 where one names none."""
    found: dict[str, set[int]] = {}
    for each in bound:
        for owner, destination in _of(each, namespace):
            number = destination.port.number if destination.port is not None else 0
            found.setdefault(full_name(destination.host, owner), set()).add(number)
    for host, ports in found.items():
        yield host, frozenset(ports)


def _of(bound: Bound, namespace: str) -> Iterator[tuple[str, Destination]]:
    for rule in bound.rules:
        if _for_callers_of(rule, namespace):
            for destination in _of_route(rule.route):
                yield rule.namespace, destination
    spec, owner = bound.source.spec, bound.source.namespace
    yield from ((owner, share.destination) for route in spec.tls for share in route.route)
    yield from ((owner, share.destination) for route in spec.tcp for share in route.route)


def _of_route(route: HTTPRoute) -> Iterator[Destination]:
    yield from (share.destination for share in route.route)
    if route.mirror is not None:
        yield route.mirror
    yield from (mirror.destination for mirror in route.mirrors)


def _for_callers_of(rule: EffectiveRule, namespace: str) -> bool:
    """Return whether some match entry is for callers of this namespace, as Istio finds it: the first that names it
    decides, else the last one that names another."""
    fits = True
    for match in rule.route.match:
        if match.source_namespace == namespace:
            return True
        if match.source_namespace:
            fits = False
    return fits
