"""Find Gateways of the same pods that share a certificate (IST0138): a browser may reuse a connection of one for a host
of the other, and get 404.

Source: istio analyzers gateway/certificate.go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chaos.mesh.check.cursor import At
from chaos.mesh.model.gateway import Gateway, ServerTLSSettings
from chaos.mesh.model.resources import Resource

SAME_CERTIFICATE = "IST0138"


def analyze_certificates(at: Callable[[Resource[Any]], At], gateways: Sequence[Resource[Gateway]]) -> None:
    """Report on all Gateways together; a Gateway with a narrower selector has the pods of a wider one."""
    for gateway in gateways:
        for other in gateways:
            if other is gateway or not gateway.spec.selector.items() <= other.spec.selector.items():
                continue
            for index, tls in _settings(gateway):
                if any(_same(tls, theirs) for _, theirs in _settings(other)):
                    message = f"{other} has the same certificate; clients that reuse connections may get 404"
                    at(gateway).into("servers", index, "tls").warn(message, SAME_CERTIFICATE)


def _settings(gateway: Resource[Gateway]) -> Iterator[tuple[int, ServerTLSSettings]]:
    for index, server in enumerate(gateway.spec.servers):
        if server.tls is not None:
            yield index, server.tls


def _same(one: ServerTLSSettings, other: ServerTLSSettings) -> bool:
    if one.credential_name or other.credential_name:
        return one.credential_name == other.credential_name
    files = (one.server_certificate, one.private_key)
    return all(files) and files == (other.server_certificate, other.private_key)
