"""The service registry: which hosts exist, on which ports, and where their endpoints are.

It is filled from the experiment's `services` and from Service and ServiceEntry documents, which stand for what a
cluster knows by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chaos.mesh.decision import Endpoint
from chaos.mesh.model.kubernetes_service import EXPORT_TO, KubernetesService
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.model.service_entry import ServiceEntry, ServicePort, WorkloadEntry
from chaos.mesh.names import HTTP_PORT, Proxy, aliases, exported, full_name, is_wildcard, namespace_of
from chaos.mesh.upstream.protocols import may_be_http, protocol_of, protocol_of_service_port


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a service: its protocol (protocols.py) and its endpoints. Without endpoints requests get `no healthy
    upstream`."""

    endpoints: tuple[Endpoint, ...] = ()
    protocol: str = "HTTP"


@dataclass(frozen=True, slots=True)
class Service:
    """A registered host and its ports.

    `host` is as registered: complete for a Kubernetes service, verbatim for a ServiceEntry (`ledger` stays `ledger`),
    where a wildcard stands for every name under it. `addresses` are virtual IPs."""

    host: str
    namespace: str
    ports: Mapping[int, Port]
    headless: bool = False
    addresses: tuple[str, ...] = ()
    stands_for: str = ""  # for a Service of type ExternalName, the name that it is an alias of

    def aliases(self, client_namespace: str) -> tuple[str, ...]:
        """Return every Host that means it to a client in this namespace, the host itself first."""
        names = aliases(self.host, client_namespace)
        if self.headless:  # also each of its pods
            names += tuple(f"*.{name}" for name in names)
        return (*names, *self.addresses)

    def speaks_http(self, port: int) -> bool:
        """Return whether it has this port and HTTP rules apply there."""
        return port in self.ports and may_be_http(self.ports[port].protocol)


@dataclass(frozen=True, slots=True)
class Registry:
    """The services that one proxy sees, by their registered hosts."""

    services: Mapping[str, Service] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        entries: Iterable[tuple[str, int | None, Iterable[Endpoint]]],
        namespace: str = "default",
        *,
        verbatim: Collection[str] = (),
        protocols: Mapping[tuple[str, int], str] | None = None,
    ) -> Registry:
        """Build a registry from (host, port, endpoints).

        Short hosts belong to `namespace` unless they are `verbatim` names of ServiceEntries; port None is 80. Repeats
        of a port add up, and a port speaks HTTP unless `protocols` says otherwise."""
        services: dict[str, Service] = {}
        for host, port, endpoints in entries:
            name, number = host if host in verbatim else full_name(host, namespace), port or HTTP_PORT
            known = services.get(name) or Service(name, namespace_of(name) or namespace, {})
            had = known.ports.get(number, Port(protocol=(protocols or {}).get((name, number), "HTTP")))
            services[name] = _with_port(known, number, replace(had, endpoints=had.endpoints + tuple(endpoints)))
        return cls(services)

    def get(self, host: str) -> Service | None:
        return self.services.get(host)

    def destination(self, host: str) -> Service | None:
        """Return the service that a destination means: one of this name, or the one that it is an alias of; never a
        wildcard entry."""
        found = None if is_wildcard(host) else self.services.get(host)
        return self.services.get(found.stands_for) if found is not None and found.stands_for else found

    def names(self, service: Service, client_namespace: str) -> tuple[str, ...]:
        """Return every Host that means a service, those of its aliases included."""
        others = [each for each in self.services.values() if each.stands_for == service.host]
        return tuple(name for each in (service, *others) for name in each.aliases(client_namespace))

    def with_documents(self, resources: Resources, proxy: Proxy) -> Registry:
        """Add the Services and ServiceEntries that the proxy's namespace sees, and remove hosts that only other
        namespaces see.

        Where a port already has endpoints, those stay: the experiment says where things really are."""
        return self._with_services(resources.services, proxy).with_service_entries(resources.service_entries, proxy)

    def _with_services(self, documents: Iterable[Resource[KubernetesService]], proxy: Proxy) -> Registry:
        services = dict(self.services)
        for document in documents:
            host = full_name(document.name, document.namespace)
            located = services.pop(host, None)
            export_to = [entry.strip() for entry in document.annotations.get(EXPORT_TO, "").split(",") if entry.strip()]
            if exported(export_to, document.namespace, proxy.namespace):
                services[host] = _of_kubernetes(host, document, located)
        return replace(self, services=services)

    def with_service_entries(self, entries: Iterable[Resource[ServiceEntry]], proxy: Proxy) -> Registry:
        """Add the ServiceEntries that the proxy's namespace sees, and remove hosts that only other namespaces see.

        Where a port already has endpoints, those stay: the experiment says where things really are."""
        services = dict(self.services)
        entries = tuple(entries)
        seen = [entry for entry in entries if exported(entry.spec.export_to, entry.namespace, proxy.namespace)]
        for entry in entries:
            if entry not in seen:
                for host in entry.spec.hosts:
                    services.pop(host.lower(), None)
        made: dict[str, list[Resource[ServiceEntry]]] = {}
        for entry in sorted(seen, key=lambda entry: entry.precedence):
            for host in entry.spec.hosts:
                made.setdefault(host.lower(), []).append(entry)
        for host, found in made.items():
            services[host] = _of_entries(host, found, self.services.get(host))
        return replace(self, services=services)


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Split `host`, `host:port` or `[v6]:port`. Raises ValueError when the port is not a number in 1..65535."""
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]") or (":" in host and not host.endswith("]")):
        return text, None
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f"{port!r} is not a port; write a number from 1 to 65535")
    return host, int(port)


def _with_port(service: Service, number: int, port: Port) -> Service:
    return replace(service, ports={**service.ports, number: port})


def _of_kubernetes(host: str, document: Resource[KubernetesService], located: Service | None) -> Service:
    """Return a Service with its own ports and protocols; the endpoints are those of `located`."""
    spec = document.spec
    ports: dict[int, Port] = {}
    for port in spec.ports:
        known = located.ports.get(port.port) if located else None
        protocol = protocol_of_service_port(port.name, port.port, port.app_protocol, port.protocol)
        ports[port.port] = Port(known.endpoints if known else (), protocol)
    address = () if spec.is_headless or not spec.cluster_ip else (spec.cluster_ip,)
    return Service(host, document.namespace, ports, spec.is_headless, address, spec.external_name)


def _of_entries(host: str, entries: Sequence[Resource[ServiceEntry]], located: Service | None) -> Service:
    """Return the service that entries of one host make together, older ones first. Endpoints of `located` win."""
    service = Service(host, entries[0].namespace, {})
    for entry in entries:
        for port in entry.spec.ports:
            if port.number not in service.ports:
                written = tuple(found for workload in entry.spec.endpoints if (found := _endpoint(workload, port)))
                known = located.ports.get(port.number) if located else None
                endpoints = known.endpoints if known and known.endpoints else written
                service = _with_port(service, port.number, Port(endpoints, protocol_of(port.protocol)))
    return service


def _endpoint(workload: WorkloadEntry, port: ServicePort) -> Endpoint | None:
    """Return the endpoint, or None if a loopback gateway cannot reach it: unix sockets, and endpoints without an
    address."""
    if not workload.address or workload.address.startswith("unix:"):
        return None
    number = workload.ports.get(port.name) or port.target_port or port.number
    return Endpoint(workload.address, number, tuple(sorted(workload.labels.items())), workload.weight or 1)
