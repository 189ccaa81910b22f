"""Admission checks of a Sidecar: its listeners, and the hosts that it imports.

Source: istio pkg/config/validation/validation.go, ValidateSidecar."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chaos.mesh.check.admission import values
from chaos.mesh.check.admission.destination_rule import validate_connection_pool
from chaos.mesh.check.admission.gateway import host_name, validate_server_tls
from chaos.mesh.check.cursor import At
from chaos.mesh.model.sidecar import (
    IstioEgressListener,
    IstioIngressListener,
    OutboundTrafficPolicy,
    Sidecar,
    SidecarPort,
)
from chaos.mesh.read.shape import shown

_LOOPBACK = ("", "127.0.0.1", "0.0.0.0", "::1", "::")
_ENDPOINT = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[^:]*)")


def validate_sidecar(at: At, sidecar: Sidecar, namespace: str) -> None:
    _selector(at, sidecar)
    if not (sidecar.egress or sidecar.ingress or sidecar.outbound_traffic_policy or sidecar.inbound_connection_pool):
        at.error("a Sidecar needs egress, ingress, outboundTrafficPolicy or inboundConnectionPool")
    _ingress(at.into("ingress"), sidecar.ingress)
    validate_connection_pool(at.into("inboundConnectionPool"), sidecar.inbound_connection_pool)
    _egress(at.into("egress"), sidecar.egress, namespace)
    _policy(at.into("outboundTrafficPolicy"), sidecar.outbound_traffic_policy)


def _selector(at: At, sidecar: Sidecar) -> None:
    selector = sidecar.workload_selector
    if selector is None:
        return
    for name, problem in values.selector(selector.labels):
        at.into("workloadSelector", "labels", name).error(problem)
    if not selector.labels:
        at.into("workloadSelector").warn("without labels it is for every workload of the namespace")


def _port(at: At, port: SidecarPort) -> None:
    at.into("protocol").unless(values.protocol(port.protocol))
    if not port.protocol:
        at.into("protocol").error("required, but empty; HTTP for plain HTTP")
    if port.name and not values.is_label(port.name):
        at.into("name").error(f"{shown(port.name)} is not the name of a port; use letters, digits and -")
    if port.target_port:
        at.into("targetPort").error("has no effect in a Sidecar; leave it out")


def _bound(at: At, port: SidecarPort, bind: str) -> None:
    at.into("port", "number").unless(values.port(port.number))
    if bind and not values.is_ip(bind):
        at.into("bind").error(f"{shown(bind)} is not an IP address")


def _ingress(at: At, listeners: Sequence[IstioIngressListener]) -> None:
    numbers: set[int] = set()
    for index, each in enumerate(listeners):
        here = at.into(index)
        _port(here.into("port"), each.port)
        _bound(here, each.port, each.bind)
        if each.port.number in numbers:
            here.into("port", "number").error(f"a second listener on port {each.port.number}")
        numbers.add(each.port.number)
        here.into("defaultEndpoint").unless(_endpoint(each.default_endpoint))
        _tls(here, each)
        validate_connection_pool(here.into("connectionPool"), each.connection_pool)


def _endpoint(text: str) -> str | None:
    if not text:
        return None
    if text.startswith("unix://"):
        return values.unix_path(text.removeprefix("unix://"))
    match = _ENDPOINT.fullmatch(text)
    if match is None or (match["v6"] if match["host"] is None else match["host"]) not in _LOOPBACK:
        return f"{shown(text)} is not the application's own address; write 127.0.0.1:port, 0.0.0.0:port or unix://path"
    number = match["port"]
    return values.port(int(number)) if number.isdecimal() else f"{shown(number)} is not a port"


def _tls(at: At, listener: IstioIngressListener) -> None:
    tls, here = listener.tls, at.into("tls")
    if tls is None:
        return
    unsupported = {
        "subjectAltNames": tls.subject_alt_names,
        "httpsRedirect": tls.https_redirect,
        "credentialName": tls.credential_name,
        "credentialNames": tls.credential_names,
        "tlsCertificates": tls.tls_certificates,
    }
    for field, given in unsupported.items():
        if given:
            here.into(field).error("cannot be used in a Sidecar")
    if tls.mode in ("ISTIO_MUTUAL", "AUTO_PASSTHROUGH"):
        here.into("mode").error(f"{tls.mode} cannot be used in a Sidecar")
    if not values.speaks_tls(listener.port.protocol):
        here.error(f"cannot be used with the protocol {listener.port.protocol}; use HTTPS or TLS")
    validate_server_tls(here, tls)


def _egress(at: At, listeners: Sequence[IstioEgressListener], namespace: str) -> None:
    numbers: set[int] = set()
    sockets: set[str] = set()
    for index, each in enumerate(listeners):
        here = at.into(index)
        if each.port is None:
            if index < len(listeners) - 1:
                here.error("a listener without a port takes all that are left, so it must be the last one")
        else:
            _egress_port(here, each, numbers, sockets)
        if not each.hosts:
            here.into("hosts").error("needs at least one host; ./* for this namespace's services, */* for all")
        _hosts(here.into("hosts"), each.hosts, namespace)


def _egress_port(at: At, listener: IstioEgressListener, numbers: set[int], sockets: set[str]) -> None:
    port = listener.port
    assert port is not None
    _port(at.into("port"), port)
    if port.number:
        _bound(at, port, listener.bind)
        if port.number in numbers:
            at.into("port", "number").error(f"a second listener on port {port.number}")
        numbers.add(port.number)
        return
    if listener.bind.startswith("unix://"):
        at.into("bind").unless(values.unix_path(listener.bind.removeprefix("unix://")))
    else:
        at.into("port", "number").error("required, but 0; only a unix socket, in bind, has no port")
    if listener.capture_mode == "IPTABLES":
        at.into("captureMode").error("a unix socket has DEFAULT or NONE")
    if listener.bind in sockets:
        at.into("bind").error(f"a second listener on {listener.bind}")
    sockets.add(listener.bind)


def _hosts(at: At, hosts: Sequence[str], namespace: str) -> None:
    seen: dict[str, set[str]] = {}
    for index, host in enumerate(hosts):
        here = at.into(index)
        owner, slash, name = host.partition("/")
        here.unless(_host(owner, slash, name, host))
        if not slash or owner.startswith("~"):
            continue
        known = seen.setdefault(namespace if owner == "." else owner, set())
        if known and (name == "*" or name in known or "*" in known):
            here.warn(f"{host} is imported already by another entry" if name != "*" else f"{host} has all others in it")
        known.add(name)
    if "*" in seen.get("*", ()) and len(seen) > 1:
        at.warn("*/* imports everything; the other hosts add nothing")


def _host(owner: str, slash: str, name: str, host: str) -> str | None:
    if not slash:
        return f"{shown(host)} lacks its namespace; write ./{host}, namespace/{host} or */{host}"
    if not owner or not name:
        return f"{shown(host)} lacks its namespace or host; write namespace/host"
    namespace = owner.removeprefix("~")
    if namespace not in ("", "*", ".") and not values.is_label(namespace):
        return f"{shown(namespace)} is not a namespace; write namespace/host, ./host or */host"
    return host_name(name)


def _policy(at: At, policy: OutboundTrafficPolicy | None) -> None:
    if policy is None:
        return
    if policy.mode == "ALLOW_ANY_DYNAMIC_DNS":
        at.into("mode").error("only for the whole mesh (MeshConfig); write ALLOW_ANY or REGISTRY_ONLY")
    elif policy.egress_proxy is not None:
        here = at.into("egressProxy")
        here.warn("deprecated, and ignored", "IST0002")
        if policy.mode != "ALLOW_ANY":
            here.error("needs mode: ALLOW_ANY")
        else:
            here.into("host").unless(values.fqdn(policy.egress_proxy.host))
            if policy.egress_proxy.port is None:
                here.into("port").error("required, but missing")
