"""Everything that Istio settles before a request comes: `resolve(resources, registry, proxy)`.

The result is plain data: the services and rules that one proxy has, its listeners, and on each the virtual hosts with
their match entries, delegates merged. Our own tables (chaos.mesh.compile) and the export for Envoy both start from
it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos.errors import Problem
from chaos.mesh.model.resources import Resources
from chaos.mesh.names import HTTP_PORT, Proxy
from chaos.mesh.resolve.bindings import Bound, bound_virtual_services
from chaos.mesh.resolve.destination_rules import DestinationRules
from chaos.mesh.resolve.entries import Entry, LeftOut, counted, entries_of
from chaos.mesh.resolve.gateway_hosts import GatewayHosts, gateway_listener, proxy_in_full, redirected_hosts
from chaos.mesh.resolve.sidecars import SidecarScope, scope_of, sidecar_of
from chaos.mesh.resolve.virtual_hosts import SidecarHosts, VirtualHost, http_listeners, in_order
from chaos.mesh.upstream.registry import Registry


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """One port of the proxy, with its virtual hosts. `match.port` is compared with `port`."""

    port: int
    virtual_hosts: tuple[VirtualHost, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedMesh:
    """What one proxy has.

    `scope` is what a Sidecar leaves, None without one; `registry` has only its services then, and `unscoped` has all.
    `only`: this listener takes every request, whatever port its Host names; None if the listener is that port, or 80
    without one. `redirected` are the hosts that a Gateway answers only with a redirect to https."""

    proxy: Proxy
    registry: Registry
    destination_rules: DestinationRules
    bound: tuple[Bound, ...]
    listeners: tuple[Listener, ...]
    only: int | None
    left_out: tuple[LeftOut, ...] = ()
    problems: tuple[Problem, ...] = ()
    scope: SidecarScope | None = None
    unscoped: Registry = field(default_factory=Registry)
    redirected: frozenset[str] = frozenset()

    @property
    def http_ports(self) -> list[int]:
        """The ports on which a sidecar has a listener for HTTP, whether or not the proxy has only one."""
        return _http_listeners(self.registry, self.scope)

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
    sidecar = sidecar_of(resources.sidecars, proxy)
    scope = scope_of(sidecar, bound, registry, proxy) if sidecar is not None else None
    ports = [only] if only is not None else _http_listeners(registry, scope)
    left_out: list[LeftOut] = []
    listeners: list[Listener] = []
    for port in ports:
        here = _imported(bound, scope, port, left_out)
        if proxy.is_gateway:
            at_gateway = GatewayHosts(here, proxy, port)
            hosts = at_gateway.hosts(resources.gateways)
            left_out += at_gateway.left_out
        else:
            found = SidecarHosts(here, _seen(registry, scope, port), port, proxy.namespace)
            hosts = found.hosts(_counted(here, proxy, port, left_out))
            problems += [each for each in found.problems if each not in problems]
        listeners.append(Listener(port, tuple(hosts)))
    return ResolvedMesh(
        proxy,
        scope.registry if scope is not None else registry,
        DestinationRules(resources.destination_rules, proxy),
        tuple(bound),
        tuple(listeners),
        only,
        tuple(left_out),
        tuple(problems),
        scope,
        registry,
        redirected_hosts(proxy, resources.gateways, only),
    )


def _http_listeners(registry: Registry, scope: SidecarScope | None) -> list[int]:
    return http_listeners(registry.services.values()) if scope is None else in_order(scope.ports)


def _seen(registry: Registry, scope: SidecarScope | None, port: int) -> Registry:
    """Return the services that the proxy sees on a listener."""
    if scope is None:
        return registry
    here = scope.at(port)
    return here.registry if here is not None else Registry()


def _imported(bound: list[Bound], scope: SidecarScope | None, port: int, left_out: list[LeftOut]) -> list[Bound]:
    """Return the VirtualServices that the proxy sees on a listener; entries of others are added to `left_out`."""
    if scope is None:
        return bound
    here = scope.at(port)
    imported = list(here.bound) if here is not None else []
    reason = f"not imported by {scope.source} ({scope.source.locate(('spec', 'egress'))})"
    for each in bound:
        if each not in imported:
            entries = (entry for rule in each.rules for entry in entries_of(rule))
            left_out += [LeftOut(each.source, entry, port, reason) for entry in entries]
    return imported


def _counted(bound: Sequence[Bound], proxy: Proxy, port: int, left_out: list[LeftOut]) -> dict[int, tuple[Entry, ...]]:
    found: dict[int, tuple[Entry, ...]] = {}
    for place, each in enumerate(bound):
        found[place], skipped = counted(each.source, each.rules, proxy, port)
        left_out += skipped
    return found
