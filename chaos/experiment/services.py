"""Plan the service registry: the instances behind each host, before anything is started.

Listed endpoints have addresses; built-in services and programs get theirs when they are started. A file without
`spec.services` has a built-in service for every host in its rules, so that a VirtualService runs as it is. With
`spec.services` the registry is complete, as the cluster's is: other hosts are unknown (503, NC)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, repeat

from chaos.errors import Problem
from chaos.experiment.model import Service
from chaos.experiment.read import Reading
from chaos.mesh.decision import Endpoint
from chaos.mesh.model.resources import Resources
from chaos.mesh.model.virtual_service import HTTPRoute
from chaos.mesh.names import HTTP_PORT, Proxy, full_name, is_address, is_wildcard
from chaos.mesh.read.shape import suggestion
from chaos.mesh.resolve.workloads import Workload, called, workloads
from chaos.mesh.upstream.registry import Registry, parse_host_port

_VERSION = re.compile(r"v\d+(?:$|[-.])")
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Place:
    """A host and port of the mesh. `host` is the full name."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Instance:
    """One endpoint. `address` is None for a built-in service or a command, which is started later."""

    key: str  # unique in the plan, and the same whenever the file is read again
    name: str
    kind: str  # endpoint, webserver, proxy, command
    labels: tuple[tuple[str, str], ...] = ()
    weight: int = 1
    address: tuple[str, int] | None = None
    port: int | None = None  # of what is started later, if the file gives its port
    version: str = "v1"
    service: Service | None = None


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """Every host of the registry with its instances, in the order of the file. Places may share instances.

    `implied` are the hosts that only the rules name; they have a built-in service."""

    places: Mapping[Place, tuple[Instance, ...]] = field(default_factory=dict)
    implied: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    protocols: Mapping[Place, str] = field(default_factory=dict)

    def instances(self) -> Iterator[Instance]:
        """Yield each instance once."""
        seen: set[int] = set()
        for found in self.places.values():
            for instance in found:
                if id(instance) not in seen:
                    seen.add(id(instance))
                    yield instance

    def applications(self) -> dict[str, Instance]:
        """Return the applications under test by host: load goes to them directly, their own calls through the
        gateway."""
        return {
            place.host: found[0]
            for place, found in self.places.items()
            if found and found[0].kind in ("proxy", "command")
        }

    @property
    def note(self) -> str | None:
        """One line about the hosts that only the rules name; None if there are none."""
        if not self.implied:
            return None
        return f"{', '.join(self.implied)}: no endpoint is listed, the built-in service responds"


Addresses = Mapping[str, tuple[str, int]]
"""From an instance's key to host and port, for what has been started."""


def proxy_of(reading: Reading) -> Proxy:
    """Return the proxy that the gateway acts as."""
    proxy = reading.experiment.spec.proxy
    return Proxy(proxy.gateway, proxy.namespace, proxy.labels, proxy.port)


def registry_of(reading: Reading, plan: ServicePlan, addresses: Addresses) -> Registry:
    """Return the registry with real addresses, ServiceEntries included. Instances without an address are left out."""
    entries = [
        (place.host, place.port, [found for each in instances if (found := _endpoint(each, addresses)) is not None])
        for place, instances in plan.places.items()
    ]
    proxy = proxy_of(reading)
    verbatim = entry_hosts(reading.resources)
    protocols = {(place.host, place.port): protocol for place, protocol in plan.protocols.items()}
    registry = Registry.of(entries, proxy.namespace, verbatim=verbatim, protocols=protocols)
    return registry.with_documents(reading.resources, proxy)


def entry_hosts(resources: Resources) -> frozenset[str]:
    """Return the hosts of ServiceEntries, which are used as written, even if they are one word."""
    return frozenset(host.lower() for entry in resources.service_entries for host in entry.spec.hosts)


def fixed_addresses(plan: ServicePlan) -> dict[str, tuple[str, int]]:
    """Return the addresses that the file itself gives, by the keys of instances, for commands that start nothing."""
    return {each.key: (LOOPBACK, each.port) for each in plan.instances() if each.port is not None}


def without_address(reading: Reading, plan: ServicePlan) -> Problem | None:
    """Return a warning that names the instances which nobody can reach before a run has started them; None if there
    are none."""
    lacking = [each for each in plan.instances() if each.address is None and each.port is None]
    if not lacking:
        return None
    names = ", ".join(dict.fromkeys(each.name for each in lacking))
    message = f"{names}: no endpoint is known before a run starts it; give the service a port, or endpoints"
    return reading.problem(("spec", "services"), message, severity="warning")


def _endpoint(instance: Instance, addresses: Addresses) -> Endpoint | None:
    address = instance.address or addresses.get(instance.key)
    return Endpoint(*address, instance.labels, instance.weight) if address is not None else None


def short_name(host: str) -> str:
    return host.split(".", 1)[0]


def plan_services(reading: Reading) -> ServicePlan:
    """Return the registry that spec.services describes, or else the one that the rules imply."""
    spec = reading.experiment.spec
    if spec.services is None:
        return _implied(reading)
    places: dict[Place, tuple[Instance, ...]] = {}
    problems: list[Problem] = []
    protocols: dict[Place, str] = {}
    entries = entry_hosts(reading.resources)
    pods = workloads(reading.resources)
    for key, service in spec.services.items():
        try:
            place = _place(key, spec.proxy.namespace, entries)
        except ValueError as error:
            problems.append(reading.problem(("spec", "services", key), str(error)))
            continue
        problems += _unknown_workloads(reading, key, service, pods)
        if place in places:
            problems.append(reading.problem(("spec", "services", key), f"{place} is listed twice"))
        else:
            places[place] = tuple(_instances(place, service, pods))
            protocols[place] = service.protocol
    return ServicePlan(places, (), tuple(problems), protocols)


def _place(key: str, namespace: str, entries: frozenset[str]) -> Place:
    """Return the place of a key of spec.services. A one-word name means the ServiceEntry of this name, else the
    Kubernetes service in the proxy's namespace. Raises ValueError if it is not host[:port], or is a wildcard without a
    ServiceEntry."""
    host, port = parse_host_port(key)
    host = host.lower()
    if host in entries:
        return Place(host, port or HTTP_PORT)
    if not host or "/" in host or is_wildcard(host) or any(char.isspace() for char in host):
        raise ValueError(
            f"{key!r} is not host[:port]; write it like webserver or webserver.default.svc.cluster.local:80"
        )
    return Place(full_name(host.rstrip("."), namespace), port or HTTP_PORT)


def _unknown_workloads(reading: Reading, key: str, service: Service, pods: Sequence[Workload]) -> Iterator[Problem]:
    for index, endpoint in enumerate(service.endpoints or ()):
        if endpoint.workload is not None and called(pods, endpoint.workload) is None:
            known = [each.source.name for each in pods]
            hint = suggestion(endpoint.workload, known, f"known are {', '.join(known)}" if known else "")
            path = ("spec", "services", key, "endpoints", index, "workload")
            yield reading.problem(
                path, str(hint.after(f"no Pod, Deployment or the like is called {endpoint.workload}"))
            )


def _instances(place: Place, service: Service, pods: Sequence[Workload]) -> Iterator[Instance]:
    name = short_name(place.host)
    if service.endpoints is not None:
        for number, endpoint in enumerate(service.endpoints, 1):
            named = called(pods, endpoint.workload) if endpoint.workload is not None else None
            labels = tuple(sorted({**(named.labels if named is not None else {}), **endpoint.labels}.items()))
            key = f"{place}/{name}-{number}"
            yield Instance(key, f"{name}-{number}", "endpoint", labels, endpoint.weight, endpoint.address)
    elif service.command is not None:
        version = service.version or "v1"
        labels = _labels(service.labels, version)
        yield Instance(f"{place}/{name}", name, "command", labels, port=service.port, version=version, service=service)
    else:
        ports = count(service.port) if service.port is not None else repeat(None)
        for version in service.versions or (service.version or _version_in(name),):
            for number in range(1, service.instances + 1):
                instance = f"{name}-{number}" if service.builtin == "proxy" else _instance_name(name, version, number)
                yield Instance(
                    f"{place}/{instance}",
                    instance,
                    service.builtin or "webserver",
                    _labels(service.labels, version),
                    port=next(ports),
                    version=version,
                    service=service,
                )


def _instance_name(name: str, version: str, number: int) -> str:
    return f"{name}-{number}" if name.endswith(version) else f"{name}{version}-{number}"


def _labels(labels: Mapping[str, str], version: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"version": version, **labels}.items()))


def _version_in(name: str) -> str:
    """Return the version in a name like `webserverv1` or `reviews-v2`; v1 if there is none."""
    match = _VERSION.search(name)
    return match[0].rstrip("-.") if match else "v1"


# ------------------------------------------------------------------------------ hosts that only the rules name


def _implied(reading: Reading) -> ServicePlan:
    """Return a plan with a built-in service for each host in the rules, with an instance for each subset."""
    spec = reading.experiment.spec
    declared = {host for entry in reading.resources.service_entries for host in entry.spec.hosts}
    ports = {
        full_name(each.name, each.namespace): [port.port for port in each.spec.ports]
        for each in reading.resources.services
    }
    places: dict[Place, tuple[Instance, ...]] = {}
    for named in _hosts_in_rules(reading.resources, spec.proxy.gateway, spec.proxy.port or HTTP_PORT):
        for place in [Place(named.host, port) for port in ports.get(named.host, (named.port,))]:
            if place.host not in declared and place not in places:
                places[place] = next(
                    (found for other, found in places.items() if other.host == place.host),
                    tuple(_for_subsets(place, reading.resources)),
                )
    return ServicePlan(places, tuple(dict.fromkeys(short_name_shown(place.host) for place in places)))


def short_name_shown(host: str) -> str:
    """Return the short name of a service of the cluster, any other host in full."""
    return short_name(host) if host.endswith(".svc.cluster.local") else host


def _hosts_in_rules(resources: Resources, gateway: str, port: int) -> Iterator[Place]:
    """Yield the hosts of a sidecar's VirtualServices, then every destination and mirror."""
    explicit: list[Place] = []
    for resource in resources.virtual_services:
        for route in resource.spec.http:
            for host, number in _destinations(route):
                explicit.append(Place(full_name(host, resource.namespace), number or port))
    ported = {place.host for place in explicit}
    if gateway == "mesh":
        for resource in resources.virtual_services:
            for host in resource.spec.hosts:
                name = full_name(host, resource.namespace)
                if not is_wildcard(name) and not is_address(name) and name not in ported:
                    yield Place(name, port)
    yield from explicit


def _destinations(route: HTTPRoute) -> Iterator[tuple[str, int | None]]:
    targets = [entry.destination for entry in route.route]
    targets += [route.mirror] if route.mirror is not None else []
    targets += [policy.destination for policy in route.mirrors]
    for target in targets:
        yield target.host, target.port.number if target.port is not None else None


def _for_subsets(place: Place, resources: Resources) -> Iterator[Instance]:
    name = short_name(place.host)
    version = _version_in(name)
    subsets = list(_subset_labels(place.host, resources)) or [(("version", version),)]
    for number, labels in enumerate(subsets, 1):
        version = dict(labels).get("version", f"v{number}")
        instance = _instance_name(name, version, 1)
        yield Instance(f"{place}/{instance}", instance, "webserver", labels, version=version)


def _subset_labels(host: str, resources: Resources) -> Iterable[tuple[tuple[str, str], ...]]:
    found: dict[tuple[tuple[str, str], ...], None] = {}
    for rule in resources.destination_rules:
        if full_name(rule.spec.host, rule.namespace) == host:
            for subset in rule.spec.subsets:
                found[tuple(sorted(subset.labels.items()))] = None
    return found
