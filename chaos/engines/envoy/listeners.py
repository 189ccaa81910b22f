"""Further listeners of the same Envoy: other doors to its routes, with and without TLS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chaos.engines.envoy.bootstrap import Message, socket_address, typed

PREFIX = "listeners/"
"""Before the names that the experiment gives them, so that none has a name of Envoy's own listeners."""

_ALPN = ("h2", "http/1.1")


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a server's certificate, with its chain, and of its private key."""

    chain: str
    key: str


@dataclass(frozen=True, slots=True)
class Door:
    """One further listener at `address` and `port`, which is 0 for a free one. One of TCP stands for a mesh host, in
    full, and its port."""

    name: str
    protocol: Literal["HTTP", "HTTPS", "TCP", "TLS"]
    address: str
    port: int = 0
    stands_for: tuple[str, int] = ("", 0)

    @property
    def scheme(self) -> str:
        """What stands before host and port where it is told: `https://`; nothing for connections."""
        return "" if self.for_connections else f"{self.protocol.lower()}://"

    @property
    def for_connections(self) -> bool:
        """Whether it takes connections, and knows nothing of requests."""
        return self.protocol in ("TCP", "TLS")


@dataclass(frozen=True, slots=True)
class Further:
    """The further listeners, and the certificate of those of HTTPS."""

    doors: tuple[Door, ...] = ()
    certificate: Certificate | None = None


ONE_DOOR = Further()


def http_listeners(further: Further, manager: Message) -> list[Message]:
    """Return Envoy's listeners for requests. `manager` is the connection manager of the door that every run has, which
    counts for all of them together."""
    return [_listener(door, manager, further.certificate) for door in further.doors if not door.for_connections]


def _listener(door: Door, manager: Message, certificate: Certificate | None) -> Message:
    chain: Message = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    if door.protocol == "HTTPS":
        assert certificate is not None
        chain["transport_socket"] = _tls(certificate)
    return {
        "name": PREFIX + door.name,
        "address": socket_address(door.address, door.port),
        # With it, two Envoys could have one port, and each would get some of the connections.
        "enable_reuse_port": door.port == 0,
        "filter_chains": [chain],
    }


def _tls(certificate: Certificate) -> Message:
    files = {"certificate_chain": {"filename": certificate.chain}, "private_key": {"filename": certificate.key}}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(
            "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            common_tls_context={"alpn_protocols": list(_ALPN), "tls_certificates": [files]},
        ),
    }
