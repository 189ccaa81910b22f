"""Admission checks of a VirtualService: hosts, gateways, exportTo, delegates, TLS and TCP routes.

Source: istio pkg/config/validation/validation.go, ValidateVirtualService."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.mesh.check.admission import values
from chaos.mesh.check.admission.match import validate_gateway_names, validate_selectors
from chaos.mesh.check.admission.route import validate_destinations, validate_route
from chaos.mesh.check.cursor import At
from chaos.mesh.model.virtual_service import TCPRoute, TLSMatchAttributes, TLSRoute, VirtualService
from chaos.mesh.read.shape import shown

MESH = "mesh"


def validate_virtual_service(at: At, service: VirtualService, namespace: str) -> None:
    delegate = not service.hosts
    if delegate:
        _delegate(at, service)
    validate_gateway_names(at.into("gateways"), service.gateways)
    _hosts(at.into("hosts"), service)
    if not (service.http or service.tls or service.tcp):
        at.error("routes nothing; give http (or tls, tcp) at least one rule")
    if bound_to_mesh(service):
        _claims(at, service)
    for index, http in enumerate(service.http):
        validate_route(at.into("http", index), http, delegate=delegate)
    for index, tls in enumerate(service.tls):
        _tls(at.into("tls", index), tls, service)
    for index, tcp in enumerate(service.tcp):
        _tcp(at.into("tcp", index), tcp)
    validate_export_to(at.into("exportTo"), service.export_to, namespace)


def bound_to_mesh(service: VirtualService) -> bool:
    """Return whether sidecars use it; Istio checks a VirtualService for mesh and gateways by the mesh's rules."""
    return not service.gateways or MESH in service.gateways


def _delegate(at: At, service: VirtualService) -> None:
    for field, given in (("gateways", service.gateways), ("tls", service.tls), ("tcp", service.tcp)):
        if given:
            at.into(field).error(
                "a VirtualService without hosts is a delegate, which cannot have it; add hosts, or drop it"
            )


def _hosts(at: At, service: VirtualService) -> None:
    good = True
    for index, host in enumerate(service.hosts):
        problem = _host(host, service)
        at.into(index).unless(problem)
        good = good and problem is None
    for first, second in _twice(service.hosts) if good else ():
        one, other = service.hosts[first], service.hosts[second]
        what = "appears twice" if one == other else f"overlaps {one} in the same VirtualService"
        at.into(second).error(f"{other} {what}; split the VirtualService or drop one")


def _host(host: str, service: VirtualService) -> str | None:
    mesh = bound_to_mesh(service)
    if host == "*" and mesh:
        return "`*` needs a gateway; for sidecars (gateways absent, or with mesh) name the hosts"
    if not mesh and host.startswith("outbound_") and _sni_hosts(service):
        return _generated_sni(host)
    return None if values.is_ip(host) else values.wildcard_domain(host)


def _sni_hosts(service: VirtualService) -> bool:
    return any(match.sni_hosts for route in service.tls for match in route.match)


def _generated_sni(host: str) -> str | None:
    """Check a name that AUTO_PASSTHROUGH generates: `outbound_.80_._.web.default.svc.cluster.local`."""
    parts = host.split("_")
    if len(parts) >= 4 and parts[1].strip(".")[:1].isdecimal() and parts[3].strip("."):
        return None
    return f"{shown(host)} is not a generated SNI name; write it like outbound_.80_._.web.default.svc.cluster.local"


def _twice(hosts: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Yield the indexes of each host that overlaps an earlier one: (earlier, this)."""
    for second in range(1, len(hosts)):
        for first in range(second):
            if values.overlap(hosts[first], hosts[second]):
                yield first, second
                break


def _claims(at: At, service: VirtualService) -> None:
    for number, route in enumerate(service.http):
        for index, match in enumerate(route.match):
            here = at.into("http", number, "match", index)
            for field, names in (("headers", match.headers), ("withoutHeaders", match.without_headers)):
                for name in filter(values.is_claim, names):
                    here.into(field, name).error(
                        "JWT claims can only be matched by a VirtualService for gateways alone"
                    )


def _tls(at: At, route: TLSRoute, service: VirtualService) -> None:
    if not route.match:
        at.into("match").error("a TLS route needs at least one match")
    for index, match in enumerate(route.match):
        _tls_match(at.into("match", index), match, service)
    if not route.route:
        at.error("a TLS route needs destinations under `route`")
    validate_destinations(at.into("route"), route.route)


def _tls_match(at: At, match: TLSMatchAttributes, service: VirtualService) -> None:
    if not match.sni_hosts:
        at.into("sniHosts").error("needs at least one server name")
    for index, name in enumerate(match.sni_hosts):
        _sni_host(at.into("sniHosts", index), name, service)
    _subnets(at, match.destination_subnets)
    validate_selectors(at, match)


def _sni_host(at: At, name: str, service: VirtualService) -> None:
    if not bound_to_mesh(service) and name.startswith("outbound_"):
        problem = _generated_sni(name)
    else:
        problem = values.wildcard_domain(name)
    if problem and values.is_ip(name):
        at.warn("clients do not send an IP address as server name (RFC 6066)")
    elif problem:
        at.error(problem)
    elif not any(values.covers(host, name) for host in service.hosts):
        at.error(f"{name} is not among the hosts of the VirtualService: {', '.join(service.hosts) or 'none'}")


def _tcp(at: At, route: TCPRoute) -> None:
    for index, match in enumerate(route.match):
        _subnets(at.into("match", index), match.destination_subnets)
        validate_selectors(at.into("match", index), match)
    if not route.route:
        at.error("a TCP route needs destinations under `route`")
    validate_destinations(at.into("route"), route.route)


def _subnets(at: At, subnets: tuple[str, ...]) -> None:
    for index, subnet in enumerate(subnets):
        at.into("destinationSubnets", index).unless(values.ip_or_cidr(subnet))


def validate_export_to(at: At, entries: tuple[str, ...], namespace: str, *, nobody: bool = False) -> None:
    """Check exportTo: namespaces, `.` or `*`, each once, and `*` alone; `~` (nobody) only for a ServiceEntry, and
    alone."""
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        meant = namespace if entry == "." else entry
        if meant in seen:
            same = entry if meant == entry else f"`.` is the namespace {namespace}, which"
            at.into(index).error(f"{same} appears twice")
        elif entry == "~" and not nobody:
            at.into(index).error("`~` (nobody) is only for a ServiceEntry")
        elif meant not in ("*", "~") and not values.is_label(meant):
            at.into(index).error(f"{shown(entry)} is not a namespace; write `.`, `*` or a namespace")
        seen.add(meant)
    for alone, meaning in (("*", "everybody"), ("~", "nobody")):
        if alone in seen and len(entries) > 1:
            at.error(f"`{alone}` is {meaning}; it stands alone")
