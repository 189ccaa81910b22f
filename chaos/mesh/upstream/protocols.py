"""Which protocol a service's port speaks, and so whether HTTP rules exist for it at all.

Source: istio pkg/config/kube ConvertProtocol and pkg/config/protocol Parse."""

from __future__ import annotations

SNIFFED = ""
"""No protocol is given: the proxy detects HTTP from the first bytes."""

_HTTP = frozenset(("HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB"))
_KNOWN = _HTTP | {"HTTPS", "TLS", "TCP", "UDP", "MONGO", "REDIS", "MYSQL"}
_APP_PROTOCOLS = {"kubernetes.io/h2c": "HTTP2", "kubernetes.io/ws": "HTTP", "kubernetes.io/wss": "HTTPS"}
_SERVER_SPEAKS_FIRST = frozenset((25, 53, 3306, 27017))  # nothing to sniff: TCP unless the name says more


def is_http(protocol: str) -> bool:
    """Return whether the port is declared to speak HTTP/1.1, HTTP/2 or gRPC in plain text."""
    return protocol in _HTTP


def may_be_http(protocol: str) -> bool:
    """Return whether a proxy applies HTTP rules on this port: it is declared as HTTP, or nothing is declared."""
    return protocol in _HTTP or protocol == SNIFFED


def protocol_of(written: str) -> str:
    """Return the protocol of a ServiceEntry's or Gateway's port; SNIFFED for one that Istio does not know."""
    name = written.upper()
    return name if name in _KNOWN else SNIFFED


def protocol_of_service_port(name: str, number: int, app_protocol: str = "", transport: str = "TCP") -> str:
    """Return the protocol of a Kubernetes Service's port: from `appProtocol`, else from its name, up to the first `-`
    in any case."""
    if transport == "UDP":
        return "UDP"
    if app_protocol in _APP_PROTOCOLS:
        return _APP_PROTOCOLS[app_protocol]
    said = (app_protocol or name).upper()
    if said.startswith("GRPC-WEB"):
        return "GRPC-WEB"
    found = protocol_of(said.partition("-")[0])
    return "TCP" if found == SNIFFED and number in _SERVER_SPEAKS_FIRST else found
