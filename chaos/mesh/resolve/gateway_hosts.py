"""Which hosts exist on a Gateway's listener: those that its servers admit, each with the rules of all its
VirtualServices in order, catch-alls last. All Gateways for the same workload count together.

Source: istio buildGatewayHTTPRouteConfig (gateway.go), SortVHostRoutes (route.go), MergeGateways (gateway.go)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from chaos.mesh.model.gateway import Gateway
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import HTTP_PORT, Proxy, admitted_hosts, intersection, qualified
from chaos.mesh.resolve.bindings import Bound
from chaos.mesh.resolve.entries import Entry, LeftOut, counted
from chaos.mesh.resolve.virtual_hosts import VirtualHost

View = dict[int, tuple[tuple[Entry, ...], list[LeftOut]]]
"""By a VirtualService's place: the entries that count for one Gateway, and those that do not."""


@dataclass(slots=True)
class GatewayHosts:
    """Finds the virtual hosts of the proxy's Gateways on one port.

    `bound` is in order of precedence. Each Gateway has its own view of a VirtualService, because `match.gateways` names
    the Gateway whose server a request came to; the entries that no Gateway counts are in `left_out`. Hosts are compared
    as written, and those that differ in letter case alone are one virtual host in the end."""

    bound: Sequence[Bound]
    proxy: Proxy
    listener: int
    left_out: list[LeftOut] = field(default_factory=list)
    _entries: dict[str, list[Entry]] = field(default_factory=dict)
    _owners: dict[str, list[Resource[VirtualService]]] = field(default_factory=dict)

    def hosts(self, gateways: Iterable[Resource[Gateway]]) -> list[VirtualHost]:
        """Return the virtual hosts; older Gateways come first, as older VirtualServices do."""
        ours = [each for each in gateways if name_of(each) in self.proxy.gateway_names]
        views = {name_of(each): self._view(each) for each in ours}
        for place in range(len(self.bound)):
            self._leave_out([view[place] for view in views.values() if place in view])
        for gateway in sorted(ours, key=lambda each: each.precedence):
            for server in gateway.spec.servers:
                if server.port.number == self.listener:
                    self._serve(gateway, server.hosts, views[name_of(gateway)])
        return [
            VirtualHost(host, (host,), catch_alls_last(entries), tuple(self._owners[host]))
            for host, entries in self._entries.items()
        ]

    def _view(self, gateway: Resource[Gateway]) -> View:
        """Return, by place in `bound`, what counts of each VirtualService that is bound to a Gateway."""
        through = replace(self.proxy, gateway=name_of(gateway), companions=())
        return {
            place: counted(bound.source, bound.rules, through, self.listener)
            for place, bound in enumerate(self.bound)
            if _bound_to(bound, gateway)
        }

    def _serve(self, gateway: Resource[Gateway], server_hosts: Sequence[str], view: View) -> None:
        for place, (entries, _) in view.items():
            bound = self.bound[place]
            admitted = admitted_hosts(server_hosts, gateway.namespace, bound.source.namespace)
            for host in map(str.lower, intersection(admitted, bound.hosts) if entries else ()):
                self._add(host, bound.source, entries)

    def _add(self, host: str, source: Resource[VirtualService], entries: Sequence[Entry]) -> None:
        there = self._entries.setdefault(host, [])
        owners = self._owners.setdefault(host, [])
        if source not in owners:
            owners.append(source)
        known = {_identity(each) for each in there}
        there += [each for each in entries if _identity(each) not in known]

    def _leave_out(self, seen: Sequence[tuple[tuple[Entry, ...], list[LeftOut]]]) -> None:
        """Note the entries of one VirtualService that none of the Gateways counts, with the reason of the first."""
        taken = {_identity(entry) for entries, _ in seen for entry in entries}
        noted: set[tuple[int, int]] = set()
        for each in [left for _, skipped in seen for left in skipped]:
            if _identity(each.entry) not in taken | noted:
                noted.add(_identity(each.entry))
                self.left_out.append(each)


def _identity(entry: Entry) -> tuple[int, int]:
    return id(entry.rule), entry.place


def _bound_to(bound: Bound, gateway: Resource[Gateway]) -> bool:
    source = bound.source
    return name_of(gateway) in {qualified(name, source.namespace) for name in source.spec.gateways}


def name_of(gateway: Resource[Gateway]) -> str:
    """Return `namespace/name`, by which VirtualServices are bound to it."""
    return f"{gateway.namespace}/{gateway.name}"


def catch_alls_last(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Sort catch-all entries behind the others; within both groups the order stays."""
    return tuple(sorted(entries, key=lambda entry: entry.is_catch_all))


def proxy_in_full(proxy: Proxy, gateways: Sequence[Resource[Gateway]]) -> Proxy:
    """Return the proxy with the full name of its Gateway, and the names of all others that select the same workload.

    The Gateway's namespace is the proxy's own, else that of the only Gateway of this name, because gateway workloads
    often run in another namespace than the Gateways they serve. The workload has the labels that its Gateway selects,
    and its own."""
    if not proxy.is_gateway:
        return proxy
    name = proxy.gateway
    if "/" not in name:
        namespaces = {gateway.namespace for gateway in gateways if gateway.name == name}
        home = proxy.namespace if proxy.namespace in namespaces or len(namespaces) != 1 else next(iter(namespaces))
        name = f"{home}/{name}"
    own = next((gateway for gateway in gateways if name_of(gateway) == name), None)
    if own is None:
        return replace(proxy, gateway=name)
    labels = {**own.spec.selector, **proxy.labels}
    others = [
        name_of(gateway)
        for gateway in gateways
        if gateway is not own and gateway.spec.selector.items() <= labels.items() and own.spec.selector
    ]
    return replace(proxy, gateway=name, companions=tuple(others))


def redirected_hosts(proxy: Proxy, gateways: Iterable[Resource[Gateway]], listener: int | None) -> frozenset[str]:
    """Return the hosts that a Gateway's server on this listener answers only with a redirect to https
    (`tls.httpsRedirect`)."""
    return frozenset(
        host.lower()
        for gateway in gateways
        if name_of(gateway) in proxy.gateway_names
        for server in gateway.spec.servers
        if server.port.number == listener and server.tls is not None and server.tls.https_redirect
        for host in admitted_hosts(server.hosts, gateway.namespace, gateway.namespace)
    )


def gateway_listener(proxy: Proxy, gateways: Iterable[Resource[Gateway]]) -> int:
    """Return proxy.port, by default the port of the first server of the proxy's Gateway, else 80."""
    if proxy.port is not None:
        return proxy.port
    for gateway in gateways:
        if name_of(gateway) == proxy.gateway_name and gateway.spec.servers:
            return gateway.spec.servers[0].port.number
    return HTTP_PORT
