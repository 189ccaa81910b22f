"""Admission checks of a Gateway: servers, their hosts, ports and TLS.

Source: istio pkg/config/validation/validation.go, ValidateGateway."""

from __future__ import annotations

from chaos.mesh.check.admission import values
from chaos.mesh.check.cursor import At
from chaos.mesh.model.gateway import Gateway, Port, Server, ServerTLSSettings, TLSCertificate
from chaos.mesh.read.shape import shown, suggestion

SCHEMA_WARNING = "IST0133"
"""Istio's code for what its validation warns of."""

_CIPHER_SUITES = [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA", "DES-CBC3-SHA",
]  # fmt: skip
"""Those of BoringSSL without PSK. Source: istio pkg/config/security, ValidCipherSuites."""

_CERTIFICATE_MODES = ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL")


def validate_gateway(at: At, gateway: Gateway, name: str) -> None:
    if not values.is_label(name):
        message = f"{shown(name)} is not a Gateway name; use letters, digits and - (no dots)"
        At(at.resource, ("metadata", "name"), at.problems).error(message)
    if not gateway.servers:
        at.into("servers").error("a Gateway needs at least one server")
    names: set[str] = set()
    for index, server in enumerate(gateway.servers):
        here = at.into("servers", index)
        _server(here, server)
        if server.port.name in names:
            here.into("port", "name").error(f"a second port named {shown(server.port.name)}")
        names.add(server.port.name)


def _server(at: At, server: Server) -> None:
    if not server.hosts:
        at.into("hosts").error("a server needs at least one host; `*` admits any")
    for index, host in enumerate(server.hosts):
        at.into("hosts", index).unless(_host(host))
    good = _port(at.into("port"), server.port, server.bind)
    _bind(at, server)
    if server.tls is not None:
        validate_server_tls(at.into("tls"), server.tls)
    if good:
        _tls_fits(at, server)
    if server.tls is not None and server.tls.https_redirect and not values.speaks_http(server.port.protocol):
        at.into("tls", "httpsRedirect").warn("only an HTTP server can redirect to HTTPS")


def _host(host: str) -> str | None:
    """Check `host`, `namespace/host`, `./host` or `*/host`."""
    namespace, slash, name = host.partition("/")
    if not slash:
        return host_name(host)
    if not namespace or not name:
        return f"{shown(host)} lacks its namespace or host; write namespace/host"
    if namespace not in ("*", ".") and not values.is_label(namespace):
        return f"{shown(namespace)} is not a namespace; write namespace/host, ./host or */host"
    return host_name(name)


def host_name(name: str) -> str | None:
    """Check the host of a Gateway's server or of a Sidecar's egress listener, without its namespace."""
    if name != "*" and "." not in name:
        return f"the short name {shown(name)} is refused here; write it in full, like {name or 'web'}.example.com"
    problem = values.wildcard_domain(name)
    return values.partial_wildcard(name) if values.is_ip(name) or not problem else problem


def _port(at: At, port: Port, bind: str) -> bool:
    """Check the port. Returns whether it is right, because checks of TLS against a wrong one would only repeat it."""
    before = len(at.problems)
    if not port.protocol:
        at.into("protocol").error("required, but empty; HTTP for plain HTTP")
    at.into("protocol").unless(values.protocol(port.protocol))
    if port.number > 0 or not bind.startswith("unix://"):
        at.into("number").unless(values.port(port.number))
    if port.target_port:
        at.into("targetPort").error("has no effect in a Gateway; leave it out")
    if not port.name:
        at.into("name").error("required, but empty")
    return len(at.problems) == before


def _bind(at: At, server: Server) -> None:
    if server.bind.startswith("unix://"):
        at.into("bind").unless(values.unix_path(server.bind.removeprefix("unix://")))
        if server.port.number:
            at.into("port", "number").error("a unix socket has no port; write 0")
    elif server.bind and not values.is_ip(server.bind):
        at.into("bind").error(f"{shown(server.bind)} is not an IP address")


def _tls_fits(at: At, server: Server) -> None:
    tls, protocol = server.tls, server.port.protocol
    if values.speaks_tls(protocol):
        if tls is None:
            at.into("tls").error(f"required with the protocol {protocol}")
    elif tls is None:
        return
    elif not values.speaks_http(protocol):
        at.into("tls").error(f"cannot be used with the protocol {protocol}; use HTTPS or TLS")
    elif tls.mode != "PASSTHROUGH" or tls.ca_certificates or tls.private_key or tls.server_certificate:
        at.into("tls").error("a plain HTTP server may only have httpsRedirect; for TLS use the protocol HTTPS")


def validate_server_tls(at: At, tls: ServerTLSSettings) -> None:
    """Report on TLS towards callers; `at` points at it."""
    _schema(at, tls)
    _cipher_suites(at.into("cipherSuites"), tls.cipher_suites)
    if tls.min_protocol_version in ("TLSV1_0", "TLSV1_1") and not tls.cipher_suites:
        at.into("minProtocolVersion").warn("versions below TLSV1_2 need cipherSuites that fit them")
    if tls.mode == "ISTIO_MUTUAL":
        for field, given in _certificates(tls).items():
            if given:
                at.into(field).error("cannot be used with mode ISTIO_MUTUAL, which brings its own certificates")
        return
    if tls.mode in ("PASSTHROUGH", "AUTO_PASSTHROUGH") and (any(_certificates(tls).values()) or tls.ca_crl):
        at.warn(f"mode {tls.mode} uses no certificates; they are ignored")
    _sources(at, tls)
    if tls.mode in _CERTIFICATE_MODES:
        if tls.credential_name or tls.credential_names:
            return
        _files(at, tls)
    if tls.ca_crl and tls.credential_name:
        at.into("caCrl").error("cannot be used with credentialName; the secret has it")
    if tls.ca_crl and tls.mode == "SIMPLE":
        at.into("caCrl").error("needs client certificates: mode MUTUAL")


def _cipher_suites(at: At, suites: tuple[str, ...]) -> None:
    """Warn of suites that are ignored. Words that begin with neither a letter nor a digit are OpenSSL's operators."""
    for index, suite in enumerate(suites):
        if suite in suites[:index]:
            at.into(index).warn(f"{shown(suite)} appears twice; it is ignored", SCHEMA_WARNING)
        elif suite not in ("", "ALL", *_CIPHER_SUITES) and suite[0].isalnum():
            message = suggestion(suite, _CIPHER_SUITES).after(f"{shown(suite)} is not a cipher suite, and is ignored")
            at.into(index).warn(message, SCHEMA_WARNING)


def _certificates(tls: ServerTLSSettings) -> dict[str, object]:
    return {
        "serverCertificate": tls.server_certificate,
        "privateKey": tls.private_key,
        "caCertificates": tls.ca_certificates,
        "tlsCertificates": tls.tls_certificates,
        "credentialName": tls.credential_name,
        "credentialNames": tls.credential_names,
    }


def _schema(at: At, tls: ServerTLSSettings) -> None:
    for field, attribute in (("credentialNames", "credential_names"), ("tlsCertificates", "tls_certificates")):
        if tls.has(attribute) and not 1 <= len(getattr(tls, attribute)) <= 2:
            at.into(field).error("must have one or two entries")


def _sources(at: At, tls: ServerTLSSettings) -> None:
    files = tls.server_certificate and tls.private_key
    if sum(map(bool, (files, tls.credential_name, tls.credential_names, tls.tls_certificates))) > 1:
        at.error("certificates from one source only: files, credentialName, credentialNames or tlsCertificates")


def _files(at: At, tls: ServerTLSSettings) -> None:
    if tls.mode != "SIMPLE" and not tls.ca_certificates:
        at.into("caCertificates").error(f"required with mode {tls.mode} (or credentialName)")
    certificates: list[tuple[At, TLSCertificate | ServerTLSSettings]] = [
        (at.into("tlsCertificates", index), item) for index, item in enumerate(tls.tls_certificates)
    ]
    for here, item in certificates or [(at, tls)]:
        if not item.server_certificate:
            here.into("serverCertificate").error(f"required with mode {tls.mode} (or credentialName)")
        if not item.private_key:
            here.into("privateKey").error(f"required with mode {tls.mode} (or credentialName)")
