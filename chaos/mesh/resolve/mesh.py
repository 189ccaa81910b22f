"""Everything that Istio settles before a request comes: `resolve(resources, registry, proxy)`.

The result is plain data: the services and rules that one proxy has, its listeners, and on each the virtual hosts with
their match entries, delegates merged. Our own tables (chaos.mesh.compile) and the export for Envoy both start from
it."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.errors import Problem
from chaos.mesh.model.resources import Resources
from chaos.mesh.names import HTTP_PORT, Proxy
from chaos.mesh.resolve.bindings import Bound, bound_virtual_services
from chaos.mesh.resolve.destination_rules import DestinationRules
from chaos.mesh.resolve.entries import Entry, LeftOut, counted
from chaos.mesh.resolve.gateway_hosts import gateway_hosts, gateway_listener, proxy_in_full
from chaos.mesh.resolve.virtual_hosts import SidecarHosts, VirtualHost, http_listeners
from chaos.mesh.upstream.registry import Registry


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """One port of the proxy, with its virtual hosts. `match.port` is compared with `port`."""

    port: int
    virtual_hosts: tuple[VirtualHost, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedMesh:
    """What one proxy has.

    `only`: this listener takes every request, whatever port its Host names; None if the listener is that port, or 80
    without one."""

    proxy: Proxy
    registry: Registry
    destination_rules: DestinationRules
    bound: tuple[Bound, ...]
    listeners: tuple[Listener, ...]
    only: int | None
    left_out: tuple[LeftOut, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def main_port(self) -> int:
        """The listener of requests whose Host names no port."""
        return HTTP_PORT if self.only is None else self.only


def resolve(resources: Resources, registry: Registry, proxy: Proxy | None = None) -> ResolvedMesh:
    """Settle what a proxy has. The resources have passed validation; problems that show only now are in `problems`."""
    proxy = proxy_in_full(proxy or Proxy(), resources.gateways)
    registry = registry.with_documents(resources, proxy)
    bound, problems = bound_virtual_services(resources, proxy)
    only = gateway_listener(proxy, resources.gateways) if proxy.is_gateway else proxy.port
    ports = http_listeners(registry.services.values()) if only is None else [only]
    left_out: list[LeftOut] = []
    listeners: list[Listener] = []
    for port in ports:
        entries = _counted(bound, proxy, port, left_out)
        if proxy.is_gateway:
            hosts = gateway_hosts(bound, entries, resources.gateways, proxy, port)
        else:
            sidecar = SidecarHosts(bound, registry, port, proxy.namespace)
            hosts = sidecar.hosts(entries)
            problems += [each for each in sidecar.problems if each not in problems]
        listeners.append(Listener(port, tuple(hosts)))
    return ResolvedMesh(
        proxy,
        registry,
        DestinationRules(resources.destination_rules, proxy),
        tuple(bound),
        tuple(listeners),
        only,
        tuple(left_out),
        tuple(problems),
    )


def _counted(bound: list[Bound], proxy: Proxy, port: int, left_out: list[LeftOut]) -> dict[int, tuple[Entry, ...]]:
    found: dict[int, tuple[Entry, ...]] = {}
    for place, each in enumerate(bound):
        found[place], skipped = counted(each.source, each.rules, proxy, port)
        left_out += skipped
    return found
