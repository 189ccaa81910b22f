"""After a 101: octets both ways, with back-pressure, until one side closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from chaos.gateway.exchange.wire import CRLF, STATUS_LINES, header_block

if TYPE_CHECKING:
    from chaos.gateway.exchange.exchange import Exchange
    from chaos.gateway.upstream.connection import Upstream
    from chaos.gateway.upstream.pool import Host


class Relay(asyncio.Protocol):
    """One direction's reading end: what arrives here is written to `other`."""

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


def open_tunnel(exchange: Exchange, connection: Upstream) -> None:
    """Passes the 101 on and joins the two connections. The route's timeout ends here, as in Envoy."""
    downstream, host = exchange.downstream, cast("Host", exchange.host)
    headers = exchange.forward.headwork.downstream_headers(exchange.request, 101, connection.headers)
    head = STATUS_LINES[101] + header_block(headers) + CRLF + exchange._tags()
    if b"\r\nupgrade: " not in head:
        head += b"upgrade: websocket\r\n"
    if b"\r\nconnection: " not in head:
        head += b"connection: Upgrade\r\n"
    if exchange.timeout is not None:
        exchange.timeout.cancel()
    early = downstream.take_after_upgrade()
    exchange.connection = None
    exchange._end_tries()
    host.detach(connection)
    client, server = downstream.transport, connection.transport
    downstream.write(head + CRLF + (connection.upgraded or b""))
    server.set_protocol(Relay(server, client, connection.connection_lost))
    client.set_protocol(Relay(client, server, downstream.connection_lost))
    downstream.current = None
    if early:
        server.write(early)
