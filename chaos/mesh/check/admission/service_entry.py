"""Admission checks of a ServiceEntry, from Istio's webhook and the API server's schema.

Source: istio pkg/config/validation/validation.go, ValidateServiceEntry; rules of the ServiceEntry schema in
istio/api."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.mesh.check.admission import values
from chaos.mesh.check.admission.virtual_service import validate_export_to
from chaos.mesh.check.cursor import At
from chaos.mesh.model.service_entry import ServiceEntry, ServicePort, WorkloadEntry
from chaos.mesh.read.shape import shown


def validate_service_entry(at: At, entry: ServiceEntry, namespace: str, labels: Mapping[str, str]) -> None:
    _workload_selector(at, entry)
    _hosts(at.into("hosts"), entry)
    _addresses(at.into("addresses"), entry)
    _ports(at.into("ports"), entry)
    _RESOLUTIONS[entry.resolution](at, entry)
    if entry.resolution == "DYNAMIC_DNS" and entry.location == "MESH_INTERNAL" and _uses_waypoint(labels):
        at.into("location").error("MESH_INTERNAL with DYNAMIC_DNS does not work with a waypoint")
    if entry.resolution != "NONE" and len(entry.hosts) > 1 and not all(_named(port) for port in entry.ports):
        at.into("hosts").error("several hosts need HTTP or TLS on every port; TCP cannot tell them apart")
    validate_export_to(at.into("exportTo"), entry.export_to, namespace, nobody=True)


def _uses_waypoint(labels: Mapping[str, str]) -> bool:
    return labels.get("istio.io/use-waypoint", "").lower() not in ("", "none")


def _named(port: ServicePort) -> bool:
    return values.speaks_http(port.protocol) or values.speaks_tls(port.protocol)


def _workload_selector(at: At, entry: ServiceEntry) -> None:
    if entry.workload_selector is None:
        return
    for name, problem in values.selector(entry.workload_selector.labels):
        at.into("workloadSelector", "labels", name).error(problem)
    if not entry.workload_selector.labels:
        at.into("workloadSelector").warn("without labels it takes every workload of the namespace")
    if entry.has("endpoints"):
        at.into("endpoints").error("workloadSelector and endpoints cannot be used together", values.SCHEMA)
    elif entry.resolution == "NONE":
        at.into("workloadSelector").warn("has no effect with resolution NONE; use STATIC or DNS")


def _hosts(at: At, entry: ServiceEntry) -> None:
    if not entry.hosts:
        at.error("a ServiceEntry needs at least one host", values.SCHEMA)
    if len(entry.hosts) > 256:
        at.error(f"{len(entry.hosts)} hosts are too many; the limit is 256", values.SCHEMA)
    for index, host in enumerate(entry.hosts):
        if host == "*":
            at.into(index).error("`*` is not a service; name it, or a domain like *.example.com", values.SCHEMA)
            continue
        at.into(index).unless(values.wildcard_domain(host))
        partial = values.partial_wildcard(host)
        if partial and entry.resolution != "DYNAMIC_DNS":
            at.into(index).warn(partial)


def _addresses(at: At, entry: ServiceEntry) -> None:
    for index, address in enumerate(entry.addresses):
        at.into(index).unless(values.ip_or_cidr(address))
        if "/" in address and entry.resolution not in ("NONE", "STATIC"):
            at.into(index).error("a CIDR range needs resolution NONE or STATIC", values.SCHEMA)


def _ports(at: At, entry: ServiceEntry) -> None:
    names: set[str] = set()
    numbers: set[int] = set()
    for index, port in enumerate(entry.ports):
        here = at.into(index)
        if port.name in names:
            here.into("name").error(f"a second port named {shown(port.name)}", values.SCHEMA)
        if port.number in numbers:
            here.into("number").error(f"port {port.number} appears twice", values.SCHEMA)
        names.add(port.name)
        numbers.add(port.number)
        here.into("number").unless(values.port(port.number), values.SCHEMA)
        here.into("protocol").unless(values.protocol(port.protocol))
        here.into("name").unless(_port_name(port.name))
        if port.has("target_port"):
            here.into("targetPort").unless(values.port(port.target_port), values.SCHEMA)


def _port_name(name: str) -> str | None:
    return None if values.is_label(name) else f"{shown(name)} is not a port name; use letters, digits and -"


def _none(at: At, entry: ServiceEntry) -> None:
    if entry.has("endpoints"):
        at.into("endpoints").error(
            "resolution NONE (the default) has no endpoints; write resolution: STATIC (or DNS)", values.SCHEMA
        )


def _static(at: At, entry: ServiceEntry) -> None:
    for index, endpoint in enumerate(entry.endpoints):
        here = at.into("endpoints", index)
        _static_address(here, endpoint, entry)
        _endpoint(here, endpoint, entry)


def _static_address(at: At, endpoint: WorkloadEntry, entry: ServiceEntry) -> None:
    address = endpoint.address
    if not address:
        if endpoint.network:
            at.warn(f"no address in the network {endpoint.network}")
        else:
            at.into("address").error("required, but missing", values.SCHEMA)
    elif address.startswith("unix://"):
        at.into("address").unless(values.unix_path(address.removeprefix("unix://")), values.SCHEMA)
        if endpoint.ports:
            at.into("ports").error("a unix socket has no ports")
        if len(entry.ports) != 1:
            at.into("address").error("a unix socket serves exactly one port of the service")
    elif not values.is_ip(address):
        at.into("address").error(
            f"{shown(address)} is not an IP address, as STATIC needs; for a name use DNS{_port_of(address)}"
        )


def _port_of(address: str) -> str:
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and values.is_ip(host):
        return f". The port goes into the service's targetPort: {port}"
    return ""


def _dns(at: At, entry: ServiceEntry) -> None:
    if not entry.endpoints:
        for index, host in enumerate(entry.hosts):
            if values.fqdn(host) and not values.wildcard_domain(host):
                message = f"{shown(host)} cannot be looked up; name it in full, or give endpoints"
                at.into("hosts", index).error(message)
                break
    if entry.resolution == "DNS_ROUND_ROBIN" and len(entry.endpoints) > 1:
        at.into("endpoints").error("DNS_ROUND_ROBIN takes one endpoint at most; use DNS for several", values.SCHEMA)
    for index, endpoint in enumerate(entry.endpoints):
        here = at.into("endpoints", index)
        if not values.is_ip(endpoint.address):
            here.into("address").unless(values.fqdn(endpoint.address))
        _endpoint(here, endpoint, entry)
    several = entry.addresses and len(entry.hosts) > 1
    if several and any(port.protocol and not values.speaks_http(port.protocol) for port in entry.ports):
        at.into("hosts").warn("several hosts share the addresses of a TCP port")


def _dynamic(at: At, entry: ServiceEntry) -> None:
    for index, host in enumerate(entry.hosts):
        if not host.startswith("*"):
            at.into("hosts", index).error("DYNAMIC_DNS needs a wildcard, like *.example.com; for one host use DNS")
    for field in ("addresses", "endpoints"):
        if getattr(entry, field):
            at.into(field).error("cannot be used with resolution DYNAMIC_DNS")
    for index, port in enumerate(entry.ports):
        if port.protocol.lower() not in ("http", "tls", "grpc", "http2"):
            at.into("ports", index, "protocol").error("DYNAMIC_DNS serves HTTP, HTTP2, GRPC and TLS only")


def _endpoint(at: At, endpoint: WorkloadEntry, entry: ServiceEntry) -> None:
    names = {port.name for port in entry.ports}
    for name, number in endpoint.ports.items():
        if name not in names:
            known = ", ".join(sorted(names)) or "none"
            at.into("ports", name).error(f"the service has no port named {shown(name)}; it has: {known}")
        at.into("ports", name).unless(_port_name(name))
        at.into("ports", name).unless(values.port(number), values.SCHEMA)
    for name, problem in values.labels(endpoint.labels):
        at.into("labels", name).error(problem)


_RESOLUTIONS = {"NONE": _none, "STATIC": _static, "DNS": _dns, "DNS_ROUND_ROBIN": _dns, "DYNAMIC_DNS": _dynamic}
