"""The Services and ServiceEntries of a namespace: which hosts there are that may have rules."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chaos.engines.istio.marks import Json, run_of
from chaos.engines.istio.targets import Served
from chaos.mesh.names import covers, full_name, is_wildcard, specificity
from chaos.mesh.upstream.protocols import may_be_http, protocol_of, protocol_of_service_port
from chaos.runner.istio.api import SERVICE_ENTRIES, SERVICES, VIRTUAL_SERVICES, Cluster


@dataclass(frozen=True, slots=True)
class Live:
    """What a namespace has: its VirtualServices, and its services as (host, port) of those that may speak HTTP, in
    small letters."""

    rules: list[Json]
    services: frozenset[tuple[str, int]]

    def has(self, host: str) -> bool:
        """Return whether there is a service of this full name, by itself or under a wildcard."""
        return any(covers(service, host.lower()) for service, _ in self.services)

    def is_service(self, host: str) -> bool:
        """Return whether there is a service that is called so."""
        return any(service == host.lower() for service, _ in self.services)

    def above(self, host: str) -> Json | None:
        """Return a VirtualService that has the host under a wildcard, None without one."""
        for live in self.rules:
            if any(is_wildcard(name) and covers(name, host.lower()) for name in _hosts(live)):
                return live
        return None

    def served(self) -> Served:
        """Return, by wildcard, the services that take its rules: those for which no other host is more specific."""
        found: dict[str, set[tuple[str, int]]] = {}
        names = sorted({host for live in self.rules if not run_of(live) for host in _hosts(live)}, key=specificity)
        for service in self.services:
            best = next((name for name in names if covers(name, service[0])), "")
            if is_wildcard(best) and not is_wildcard(service[0]):
                found.setdefault(best, set()).add(service)
        return found


async def look(cluster: Cluster) -> Live:
    """Return what there is now. Raises EnvironmentFailed."""
    rules, services, entries = await asyncio.gather(
        cluster.items(VIRTUAL_SERVICES), cluster.items(SERVICES), cluster.items(SERVICE_ENTRIES)
    )
    return Live(rules, frozenset((*_of_services(services), *_of_entries(entries))))


def _hosts(live: Json) -> Iterator[str]:
    namespace = live["metadata"].get("namespace", "default")
    return (full_name(str(host), namespace).lower() for host in (live.get("spec") or {}).get("hosts") or ())


def _of_services(items: Iterable[Json]) -> Iterator[tuple[str, int]]:
    for item in items:
        metadata, spec = item["metadata"], item.get("spec") or {}
        host = full_name(metadata["name"], metadata.get("namespace", "default")).lower()
        for port in spec.get("ports") or ():
            number = int(port["port"])
            said = protocol_of_service_port(
                str(port.get("name", "")), number, str(port.get("appProtocol", "")), str(port.get("protocol", "TCP"))
            )
            if may_be_http(said):
                yield host, number


def _of_entries(items: Iterable[Json]) -> Iterator[tuple[str, int]]:
    for item in items:
        spec = item.get("spec") or {}
        for port in spec.get("ports") or ():
            if may_be_http(protocol_of(str(port.get("protocol", "")))):
                yield from ((str(host).lower(), int(port["number"])) for host in spec.get("hosts") or ())
