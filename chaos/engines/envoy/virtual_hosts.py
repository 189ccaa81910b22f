"""Which Hosts lead to which routes: the sidecar's virtual hosts and the gateway's (httproute.go, gateway.go)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chaos.engines.envoy.bootstrap import Json
from chaos.engines.envoy.clusters import cluster_name, hash_policy
from chaos.engines.envoy.mesh import BoundRules, Mesh, Service
from chaos.engines.envoy.names import covers, domains, fully_qualified, intersection
from chaos.engines.envoy.routes import catch_alls_last, default_route, routes
from chaos.mesh.model.destination_rule import ConsistentHashLB, TrafficPolicy
from chaos.mesh.model.gateway import Gateway, Server
from chaos.mesh.model.message import Destination
from chaos.mesh.model.resources import Resource


class MeshDestinations:
    """Destinations of resolved rules, looked up in a mesh."""

    def __init__(self, mesh: Mesh):
        self.mesh = mesh

    def cluster(self, destination: Destination) -> str:
        """A cluster's name; whether it exists is found out when a request goes there."""
        wanted = destination.port.number if destination.port is not None else None
        service = self.mesh.services.get(destination.host)
        listener = self.mesh.client.port
        port = service.port_for(wanted, listener) if service else wanted or listener
        return cluster_name(destination.host, port, destination.subset)

    def hash_policy(self, destination: Destination) -> Json | None:
        """The nearest consistentHash (HashForHTTPDestination). A port's counts where the destination names the port."""
        rule = self.mesh.destination_rule(destination.host)
        if rule is None:
            return None
        port = destination.port.number if destination.port is not None else None
        subset = next((part.traffic_policy for part in rule.subsets if part.name == destination.subset), None)
        nearest = (
            _port_hash(subset, port),
            _own_hash(subset),
            _port_hash(rule.traffic_policy, port),
            _own_hash(rule.traffic_policy),
        )
        return hash_policy(next(filter(None, nearest), None))


def sidecar_hosts(mesh: Mesh) -> list[Json]:
    """Virtual hosts of a sidecar: for each host the first VirtualService counts; other services get a default route."""
    found: list[tuple[str, Service | None, Sequence[Json]]] = []
    taken: set[str] = set()
    bound = mesh.virtual_services()
    destinations = MeshDestinations(mesh)
    for rules in bound:
        translated = routes(rules.http, mesh.client, destinations)
        if not translated:
            continue
        names, services = _split_hosts(rules, mesh, bound)
        found += [(name, None, translated) for name in names]
        found += [(service.host, service, translated) for service in services]
        taken.update(service.host for service in services)
    for service in mesh.services.values():
        if service.host not in taken:
            found.append((service.host, service, [_service_route(service, mesh)]))
    return _without_duplicates(found, mesh.client.namespace, taken)


def _split_hosts(rules: BoundRules, mesh: Mesh, bound: Sequence[BoundRules]) -> tuple[list[str], list[Service]]:
    """Hosts that are no service, and the services that these rules are for (separateVSHostsAndServices)."""
    names: list[str] = []
    services: list[Service] = []
    for host in (host for host in rules.hosts if not host.startswith("*")):
        service = mesh.services.get(host)
        if service is not None:
            services.append(service)
        else:
            names.append(host)
    for pattern in (host for host in rules.hosts if host.startswith("*")):
        covered = [service for service in mesh.services.values() if covers(pattern, service.host)]
        services += [service for service in covered if _most_specific(service.host, bound) is rules]
        if not covered:
            names.append(pattern)
    return names, services


def _most_specific(host: str, bound: Sequence[BoundRules]) -> BoundRules | None:
    """The rules whose hosts fit best: the host itself, else the longest wildcard; the first of equals."""
    fitting = [(pattern, rules) for rules in bound for pattern in rules.hosts if covers(pattern, host)]
    best = min(fitting, key=lambda item: (item[0].startswith("*"), -len(item[0])), default=None)
    return best[1] if best else None


def _service_route(service: Service, mesh: Mesh) -> Json:
    port = service.port_for(None, mesh.client.port)
    rule = mesh.destination_rule(service.host)
    policy = rule.traffic_policy if rule else None
    return default_route(
        cluster_name(service.host, port, ""), hash_policy(_port_hash(policy, port) or _own_hash(policy))
    )


def _without_duplicates(
    found: Iterable[tuple[str, Service | None, Sequence[Json]]], namespace: str, with_rules: set[str]
) -> list[Json]:
    """A name and a domain belong to whoever comes first; an alias never hides a service's own name (dedupeDomains)."""
    hosts: list[Json] = []
    names: set[str] = set()
    claimed: set[str] = set()
    for name, service, translated in found:
        if name in names:
            continue
        names.add(name)
        wanted = [name] if service is None else domains(name, namespace)
        free = [domain for domain in wanted if domain not in claimed and not (domain != name and domain in with_rules)]
        claimed.update(free)
        if free:
            hosts.append(_virtual_host(name, free, translated))
    return hosts


def gateway_hosts(mesh: Mesh, gateway: Resource[Gateway] | None) -> list[Json]:
    """Virtual hosts of a gateway: what its servers and the VirtualServices have in common; routes of all are joined."""
    joined: dict[str, list[Json]] = {}
    redirected: set[str] = set()
    destinations = MeshDestinations(mesh)
    here = [server for server in gateway.spec.servers if server.port.number == mesh.client.port] if gateway else []
    for server in here:
        for rules in mesh.virtual_services():
            admitted = _admitted(server, gateway, rules.namespace)
            translated = routes(rules.http, mesh.client, destinations)
            for host in intersection(admitted, rules.hosts) if translated else ():
                joined.setdefault(host.lower(), []).extend(translated)
        if server.tls is not None and server.tls.https_redirect:
            redirected.update(host.lower() for host in _admitted(server, gateway, None))
            redirected.update(host for host in joined if any(covers(r, host) for r in redirected))
    hosts: dict[str, list[Json]] = {**{host: [] for host in sorted(redirected)}, **joined}
    return [
        _virtual_host(host, [host], catch_alls_last(translated), require_tls=host in redirected)
        for host, translated in hosts.items()
    ]


def _admitted(server: Server, gateway: Resource[Gateway] | None, namespace: str | None) -> list[str]:
    """The server's hosts, as far as they are open to a VirtualService of this namespace; all for None."""
    hosts: list[str] = []
    home = gateway.namespace if gateway else ""
    for entry in server.hosts:
        space, slash, host = entry.rpartition("/")
        space = home if space == "." else space
        if not slash or space == "*" or namespace in (None, space):
            hosts.append(fully_qualified(host, home) if "." in host else host)
    return hosts


def _virtual_host(name: str, names: Sequence[str], translated: Sequence[Json], *, require_tls: bool = False) -> Json:
    host: Json = {
        "name": name,
        "domains": list(names),
        "routes": list(translated),
        "include_request_attempt_count": True,
    }
    if require_tls:
        host["require_tls"] = "ALL"
    return host


def _own_hash(policy: TrafficPolicy | None) -> ConsistentHashLB | None:
    settings = policy.load_balancer if policy is not None else None
    return settings.consistent_hash if settings is not None else None


def _port_hash(policy: TrafficPolicy | None, port: int | None) -> ConsistentHashLB | None:
    for settings in policy.port_level_settings if policy is not None else ():
        if settings.port is not None and settings.port.number == port and settings.load_balancer is not None:
            return settings.load_balancer.consistent_hash
    return None
