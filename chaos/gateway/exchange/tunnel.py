"""A connection after a 101: bytes in both directions, with back-pressure, until one side closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chaos.gateway.exchange.client import Client
from chaos.gateway.exchange.wire import CRLF, STATUS_LINES, header_block
from chaos.gateway.upstream.connection import Upstream
from chaos.mesh.decision import Headers


class Relay(asyncio.Protocol):
    """The reading end of one direction: what arrives here is written to `other`."""

    def __init__(self, own: asyncio.Transport, other: asyncio.Transport, on_close: Callable[[Exception | None], None]):
        self._own = own
        self._other = other
        self._on_close = on_close

    def data_received(self, data: bytes) -> None:
        self._other.write(data)

    def pause_writing(self) -> None:
        self._other.pause_reading()

    def resume_writing(self) -> None:
        if not self._other.is_closing():
            self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._other.close()
        self._on_close(exc)


def switching_head(headers: Headers, tags: bytes) -> bytes:
    """Return the head of the 101 for the client."""
    head = STATUS_LINES[101] + header_block(headers) + CRLF + tags
    if b"\r\nupgrade: " not in head:
        head += b"upgrade: websocket\r\n"
    if b"\r\nconnection: " not in head:
        head += b"connection: Upgrade\r\n"
    return head + CRLF


def open_tunnel(client: Client, connection: Upstream, head: bytes) -> None:
    """Send the 101 and join the two connections, which then belong to the tunnel alone: the exchange is over."""
    server, downstream = connection.transport, client.transport
    client.write(head + (connection.upgraded or b""))
    server.set_protocol(Relay(server, downstream, connection.connection_lost))
    early = client.become_tunnel(Relay(downstream, server, client.connection_lost))
    if early:
        server.write(early)
