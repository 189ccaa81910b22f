"""The service registry: which hosts exist, on which ports, and where their endpoints are.

It is filled from the experiment's `services` and from ServiceEntry documents, which stand for what a cluster knows by
itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from chaos.mesh.decision import Endpoint
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.service_entry import ServiceEntry, ServicePort, WorkloadEntry
from chaos.mesh.names import Proxy, exported, full_name, namespace_of

DEFAULT_PORT = 80


@dataclass(frozen=True, slots=True)
class Service:
    """A registered host, its ports and the endpoints behind each of them (none is allowed: `no healthy upstream`)."""

    host: str
    namespace: str
    ports: Mapping[int, tuple[Endpoint, ...]]

    def port(self, wanted: int | None, listener: int) -> int:
        """The port a destination means: the one it names, else the only one, else the listener's."""
        if wanted:
            return wanted
        return next(iter(self.ports)) if len(self.ports) == 1 else listener


@dataclass(frozen=True, slots=True)
class Registry:
    """Services by their full names."""

    services: Mapping[str, Service] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[tuple[str, int | None, Iterable[Endpoint]]], namespace: str = "default") -> Registry:
        """From (host, port, endpoints); short hosts belong to `namespace`, port None is 80. Repeats of a port add
        up."""
        services: dict[str, Service] = {}
        for host, port, endpoints in entries:
            _add(services, full_name(host, namespace), namespace, port or DEFAULT_PORT, tuple(endpoints))
        return cls(services)

    def get(self, host: str) -> Service | None:
        return self.services.get(host)

    def with_service_entries(self, entries: Iterable[Resource[ServiceEntry]], proxy: Proxy) -> Registry:
        """With the ServiceEntries that the proxy's namespace sees. Where a port has endpoints already, those stay: the
        experiment says where things really are."""
        services = dict(self.services)
        for entry in entries:
            if exported(entry.spec.export_to, entry.namespace, proxy.namespace):
                for host in entry.spec.hosts:
                    _add_entry(services, full_name(host, entry.namespace), entry)
        return replace(self, services=services)


def parse_host_port(text: str) -> tuple[str, int | None]:
    """`host`, `host:port` or `[v6]:port`. Raises ValueError when the port is not a number in 1..65535."""
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]") or (":" in host and not host.endswith("]")):
        return text, None
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f"{port!r} is not a port; write a number from 1 to 65535")
    return host, int(port)


def _add(services: dict[str, Service], host: str, namespace: str, port: int, endpoints: tuple[Endpoint, ...]) -> None:
    known = services.get(host)
    ports = dict(known.ports) if known else {}
    ports[port] = ports.get(port, ()) + endpoints
    services[host] = Service(host, known.namespace if known else namespace_of(host) or namespace, ports)


def _add_entry(services: dict[str, Service], host: str, entry: Resource[ServiceEntry]) -> None:
    known = services.get(host)
    for port in entry.spec.ports:
        if not (known and known.ports.get(port.number)):
            endpoints = tuple(endpoint for w in entry.spec.endpoints if (endpoint := _endpoint(w, port)))
            _add(services, host, entry.namespace, port.number, endpoints)


def _endpoint(workload: WorkloadEntry, port: ServicePort) -> Endpoint | None:
    """None for what a loopback gateway cannot reach: unix sockets, and endpoints without an address."""
    if not workload.address or workload.address.startswith("unix:"):
        return None
    number = workload.ports.get(port.name) or port.target_port or port.number
    return Endpoint(workload.address, number, tuple(sorted(workload.labels.items())), workload.weight or 1)
