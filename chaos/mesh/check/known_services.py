"""Which services exist, for checking names: from ServiceEntries, Kubernetes Services and an Experiment's `services`.

Unlike the registry that requests are routed by, it needs no addresses, and it may be empty: a lone VirtualService does
not say which services its cluster has, so no name can be called unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chaos.mesh.check.admission.values import covers
from chaos.mesh.model.kubernetes_service import EXPORT_TO
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.names import HTTP_PORT, exported, full_name
from chaos.mesh.resolve.workloads import Workload, called, workloads
from chaos.mesh.source.document import Document
from chaos.mesh.upstream.registry import parse_host_port

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class KnownService:
    """A service by its full name. `labels` has those of each endpoint; None where the files cannot tell. `listed` is an
    Experiment's `services`, which say where a service is, and not which ports it has in its cluster."""

    host: str
    namespace: str
    ports: tuple[int, ...] = ()
    labels: tuple[Labels, ...] | None = None
    export_to: tuple[str, ...] = ()
    selector: Labels = field(default_factory=dict)  # of a ServiceEntry whose endpoints are workloads
    listed: bool = False

    @property
    def public(self) -> bool:
        return not self.export_to or "*" in self.export_to

    def seen_from(self, namespace: str) -> bool:
        """Return whether the service is exported to a namespace."""
        return exported(self.export_to, self.namespace, namespace)


class KnownServices:
    """Every declaration of each service, by full name; wildcard hosts of ServiceEntries cover others."""

    def __init__(self, services: Iterable[KnownService]):
        self._declared: dict[str, list[KnownService]] = {}
        for service in services:
            self._declared.setdefault(service.host, []).append(service)
        self._wide = sorted((host for host in self._declared if host.startswith("*")), key=len, reverse=True)

    def __bool__(self) -> bool:
        return bool(self._declared)

    def find(self, host: str, namespace: str) -> KnownService | None:
        """Return the service that a name means in a resource of this namespace, or None."""
        for declared in self._named(host, namespace):
            seen = [each for each in declared if each.seen_from(namespace)]
            if seen:
                return _one(seen)
        return None

    def hidden(self, host: str, namespace: str) -> KnownService | None:
        """Return a service that would be meant, were it exported to this namespace, or None."""
        return next((declared[0] for declared in self._named(host, namespace)), None)

    def seen_from(self, namespace: str) -> list[KnownService]:
        """Return every declaration that this namespace sees."""
        return [each for declared in self._declared.values() for each in declared if each.seen_from(namespace)]

    def names(self, namespace: str) -> list[str]:
        """Return the full names of the services that this namespace sees."""
        return list(dict.fromkeys(each.host for each in self.seen_from(namespace)))

    def _named(self, host: str, namespace: str) -> Iterator[list[KnownService]]:
        name = full_name(host, namespace)
        for candidate in (name, *(wide for wide in self._wide if covers(wide, name))):
            if candidate in self._declared:
                yield self._declared[candidate]


def _one(seen: list[KnownService]) -> KnownService:
    """Return what several declarations of a host come to: the ports of the last one that everybody sees, as Istio's
    analyzers have it, and the endpoints of all."""
    declared = [each for each in seen if not each.listed]
    chosen = ([each for each in declared if each.public] or declared or seen)[-1]
    listed = tuple(dict.fromkeys(port for each in seen for port in each.ports))
    known = [each.labels for each in seen if each.labels is not None]
    labels = tuple(label for each in known for label in each) if len(known) == len(seen) else None
    return replace(chosen, ports=chosen.ports if declared else listed, labels=labels)


def known_services(resources: Resources, documents: Iterable[Document]) -> KnownServices:
    """Return all services that the resources and documents name."""
    found = [service for entry in resources.service_entries for service in _of_entry(entry)]
    pods = workloads(resources)
    for document in documents:
        found += _of_document(document.value, pods)
    return KnownServices(found)


def _of_entry(entry: Resource[Any]) -> Iterator[KnownService]:
    spec = entry.spec
    labels = tuple(workload.labels for workload in spec.endpoints) if spec.endpoints else None
    unsure = entry.gaps.meet(("spec", "ports"))
    for host in spec.hosts:
        ports = () if unsure else tuple(port.number for port in spec.ports)
        selector = spec.workload_selector.labels if spec.workload_selector is not None else {}
        name = full_name(host, entry.namespace)
        yield KnownService(name, entry.namespace, ports, labels, spec.export_to, selector)


def _of_document(value: Any, pods: Sequence[Workload]) -> list[KnownService]:
    """Return the services of a Kubernetes Service, a List of them, or an Experiment. Malformed ones are skipped: their
    own readers report them."""
    kind = _get(value, "kind")
    if kind == "List":
        items = _get(value, "items")
        return [service for item in items if isinstance(items, list) for service in _of_document(item, pods)]
    if kind == "Service":
        return _of_service(value)
    return _of_experiment(value, pods) if kind == "Experiment" else []


def _of_service(value: Any) -> list[KnownService]:
    name, namespace = _get(value, "metadata", "name"), _get(value, "metadata", "namespace") or "default"
    if not isinstance(name, str) or not isinstance(namespace, str):
        return []
    ports = _get(value, "spec", "ports")
    numbers = [_get(port, "port") for port in ports] if isinstance(ports, list) else []
    wanted = _get(value, "metadata", "annotations", EXPORT_TO)
    export_to = tuple(each.strip() for each in wanted.split(",")) if isinstance(wanted, str) else ()
    whole = tuple(number for number in numbers if isinstance(number, int))
    return [KnownService(full_name(name, namespace), namespace, whole, None, export_to)]


def _of_experiment(value: Any, pods: Sequence[Workload]) -> list[KnownService]:
    services = _get(value, "spec", "services")
    namespace = _get(value, "spec", "proxy", "namespace") or "default"
    if not isinstance(services, dict) or not isinstance(namespace, str):
        return []
    return [service for key, item in services.items() for service in _listed(key, item, namespace, pods)]


def _listed(key: str, item: Any, namespace: str, pods: Sequence[Workload]) -> Iterator[KnownService]:
    try:
        host, port = parse_host_port(key)
    except ValueError:
        return
    endpoints = _get(item, "endpoints")
    labels = tuple(_labels(endpoint, pods) for endpoint in endpoints) if isinstance(endpoints, list) else None
    yield KnownService(full_name(host, namespace), namespace, (port or HTTP_PORT,), labels, listed=True)


def _labels(endpoint: Any, pods: Sequence[Workload]) -> Labels:
    labels, name = _get(endpoint, "labels"), _get(endpoint, "workload")
    named = called(pods, name) if isinstance(name, str) else None
    written = {key: str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}
    return {**(named.labels if named is not None else {}), **written}


def _get(value: Any, *path: str) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value
