"""Which hosts exist on a Gateway's listener: those that its servers admit, each with the rules of all its
VirtualServices in order, catch-alls last. All Gateways for the same workload count together.

Source: istio buildGatewayHTTPRouteConfig (gateway.go), SortVHostRoutes (route.go), MergeGateways (gateway.go)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chaos.mesh.model.gateway import Gateway
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import HTTP_PORT, Proxy, admitted_hosts, intersection, qualified
from chaos.mesh.resolve.bindings import Bound
from chaos.mesh.resolve.entries import Entry
from chaos.mesh.resolve.virtual_hosts import Counted, VirtualHost


def gateway_hosts(
    bound: Sequence[Bound], counted: Counted, gateways: Iterable[Resource[Gateway]], proxy: Proxy, listener: int
) -> list[VirtualHost]:
    """Return the virtual hosts of the proxy's Gateways on one port."""
    entries: dict[str, list[Entry]] = {}
    owners: dict[str, list[Resource[VirtualService]]] = {}
    for gateway in gateways:
        if name_of(gateway) not in proxy.gateway_names:
            continue
        for server in gateway.spec.servers:
            if server.port.number != listener:
                continue
            for place, each in enumerate(bound):
                if not counted[place] or not _bound_to(each, gateway):
                    continue
                admitted = admitted_hosts(server.hosts, gateway.namespace, each.source.namespace)
                for host in intersection(admitted, each.hosts):
                    if each.source not in owners.setdefault(host, []):
                        owners[host].append(each.source)
                        entries.setdefault(host, []).extend(counted[place])
    return [VirtualHost(host, (host,), catch_alls_last(entries[host]), tuple(owners[host])) for host in entries]


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


def gateway_listener(proxy: Proxy, gateways: Iterable[Resource[Gateway]]) -> int:
    """Return proxy.port, by default the port of the first server of the proxy's Gateway, else 80."""
    if proxy.port is not None:
        return proxy.port
    for gateway in gateways:
        if name_of(gateway) == proxy.gateway_name and gateway.spec.servers:
            return gateway.spec.servers[0].port.number
    return HTTP_PORT
