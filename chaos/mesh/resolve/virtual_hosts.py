"""Which hosts exist on a sidecar's listener, and which entries of which VirtualService each of them has.

Source: istio BuildSidecarVirtualHostWrapper, separateVSHostsAndServices (route.go), BuildSidecarOutboundVirtualHosts,
selectVirtualServices (httproute.go)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chaos.errors import Problem
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import HTTP_PORT, covers, is_wildcard, overlap, specificity
from chaos.mesh.resolve.bindings import Bound
from chaos.mesh.resolve.entries import Entry
from chaos.mesh.upstream.protocols import is_http
from chaos.mesh.upstream.registry import Registry, Service


@dataclass(frozen=True, slots=True, eq=False)
class VirtualHost:
    """Names without ports, and what they lead to: entries of VirtualServices (`owners`), or else `service`, a
    registered service's default route."""

    host: str
    domains: tuple[str, ...]
    entries: tuple[Entry, ...] = ()
    owners: tuple[Resource[VirtualService], ...] = ()
    service: Service | None = None


Counted = Mapping[int, tuple[Entry, ...]]
"""By a Bound's index: its entries that count on the listener."""


@dataclass(frozen=True, slots=True)
class SidecarHosts:
    """Finds the virtual hosts of one listener.

    `bound` is in order of precedence; `registry` has the services that the proxy sees; `port` is the listener's."""

    bound: Sequence[Bound]
    registry: Registry
    port: int
    namespace: str
    problems: list[Problem] = field(default_factory=list)

    def hosts(self, counted: Counted) -> list[VirtualHost]:
        """Return the virtual hosts in order; of names that are claimed twice the first claim counts."""
        registered = self.registry.services.items()
        here = {host.lower(): each for host, each in registered if self.port in each.ports and not each.stands_for}
        served: dict[str, VirtualHost] = {}
        best = most_specific(self.bound, self.registry)
        for place, bound in enumerate(self.bound):
            if counted[place] and (self.port == HTTP_PORT or _concerns(bound, here)):
                for host in self._claimed(place, bound, here, best):
                    self._add(served, host, bound, counted[place], here.get(host))
        for host, service in here.items():
            if host not in served and service.speaks_http(self.port):
                served[host] = VirtualHost(host, self.registry.names(service, self.namespace), service=service)
        return _with_free_domains(served, here)

    def _claimed(self, place: int, bound: Bound, here: Mapping[str, Service], best: Mapping[str, int]) -> list[str]:
        """Return the hosts that a VirtualService has on this listener: names that are not services, then services.

        Names need a listener, which only a port that is declared as HTTP makes for everybody; and ports other than 80
        serve them only beside a service of the same VirtualService."""
        names, services = _names_and_services(place, bound, here, best)
        spoken = [host for host in services if here[host].speaks_http(self.port)]
        listens = any(is_http(service.ports[self.port].protocol) for service in here.values())
        return [*(names if listens and (self.port == HTTP_PORT or spoken) else ()), *spoken]

    def _add(
        self,
        served: dict[str, VirtualHost],
        host: str,
        bound: Bound,
        entries: tuple[Entry, ...],
        service: Service | None,
    ) -> None:
        before = served.get(host)
        if before is not None:
            if before.owners and before.owners[0] is not bound.source:
                self.problems.append(_ignored(bound.source, host, before.owners[0]))
            return
        domains = self.registry.names(service, self.namespace) if service else (host,)
        served[host] = VirtualHost(host, domains, entries, (bound.source,))


def _concerns(bound: Bound, here: Mapping[str, Service]) -> bool:
    """Return whether any of its hosts is a service on the listener, or overlaps one where either is a wildcard."""
    for host in map(str.lower, bound.hosts):
        if host in here or any(overlap(host, each) for each in here if is_wildcard(host) or is_wildcard(each)):
            return True
    return False


def _names_and_services(
    place: int, bound: Bound, here: Mapping[str, Service], best: Mapping[str, int]
) -> tuple[list[str], list[str]]:
    """Split a VirtualService's hosts.

    A wildcard stands for the services that it is the best match of, and for itself only when it overlaps no service."""
    names: list[str] = []
    services: list[str] = []
    for host in map(str.lower, bound.hosts):
        if not is_wildcard(host):
            (services if host in here else names).append(host)
            continue
        touched = [each for each in here if overlap(host, each)]
        services += [each for each in touched if best.get(each) == place]
        if not touched:
            names.append(host)
    return names, list(dict.fromkeys(services))


def most_specific(bound: Sequence[Bound], registry: Registry) -> dict[str, int]:
    """Return, by service, the index of the VirtualService with the most specific host for it, whether or not it has a
    rule for this proxy; of equals the first."""
    exact: dict[str, int] = {}
    wild: dict[str, int] = {}
    for place, entry in enumerate(bound):
        for host in map(str.lower, entry.hosts):
            (wild if is_wildcard(host) else exact).setdefault(host, place)
    patterns = sorted(wild, key=specificity)
    best: dict[str, int] = {}
    for service in map(str.lower, registry.services) if wild else ():
        found = exact.get(service)
        if found is None:
            found = next((wild[pattern] for pattern in patterns if covers(pattern, service)), None)
        if found is not None:
            best[service] = found
    return best


def _with_free_domains(served: Mapping[str, VirtualHost], here: Mapping[str, Service]) -> list[VirtualHost]:
    """Give each name to the first host that claims it; an alias never hides a service's own name (istio
    dedupeDomains)."""
    taken: set[str] = set()
    found: list[VirtualHost] = []
    for host in served.values():
        others = {name for name in host.domains if name != host.host and name in here and name in served}
        free = [name for name in host.domains if name not in taken and name not in others]
        taken.update(free)
        if free:
            found.append(VirtualHost(host.host, tuple(free), host.entries, host.owners, host.service))
    return found


def _ignored(resource: Resource[VirtualService], host: str, winner: Resource[VirtualService]) -> Problem:
    path = ("spec", "hosts")
    text = f"ignored for {host}: VirtualService {winner.namespace}/{winner.name} comes first (a sidecar uses only one)"
    return Problem(resource.locate(path), resource.path(path), text, "warning", "IST0109")


def http_listeners(services: Iterable[Service]) -> list[int]:
    """Return the ports on which some service speaks HTTP: 80 first, then the others in order."""
    ports = {port for service in services for port in service.ports if service.speaks_http(port)}
    return in_order(ports)


def in_order(ports: Iterable[int]) -> list[int]:
    """Return ports in the order of listeners: 80 first, then the others."""
    return sorted(ports, key=lambda port: (port != HTTP_PORT, port))
