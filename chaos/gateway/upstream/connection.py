"""One connection to an endpoint: sends what it is given, parses the answer, tells its owner.

The parser's callbacks only record. When a read has been parsed the owner is told once, and finds what has arrived so
far in `status`, `headers`, `pieces` and `ended`; so a small answer is one call and can be one write."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from chaos.mesh.decision import Failure, Headers

MAX_HEADERS = 100  # Envoy's default; more is a protocol error
MAX_HEAD_BYTES = 80 * 1024
HIGH_WATER = 512 * 1024  # bytes waiting in a socket's write buffer before the other side is asked to pause
TCP_INFO_BYTES_ACKED = 120  # offset in struct tcp_info (linux/tcp.h)


class Owner(Protocol):
    """Whoever sends a request: an attempt, or a mirrored copy."""

    def upstream_connected(self, connection: Upstream) -> None:
        """The connection is yours until you release it: send."""

    def upstream_failed(self, failure: Failure, reason: str) -> None:
        """There will be no connection for you."""

    def upstream_whole(self, connection: Upstream, data: bytes) -> bool:
        """Take the first read of the answer if it is a whole answer, and plain (plain_heads.py). Returns True when it
        has been dealt with and the connection given back, False to have it parsed."""

    def upstream_received(self, connection: Upstream) -> None:
        """More of the answer is here; look at the connection's fields."""

    def upstream_lost(self, connection: Upstream) -> None:
        """The connection has closed; what was received stays readable."""

    def upstream_full(self) -> None:
        """Send no more for now."""

    def upstream_drained(self) -> None:
        """Send again."""


class Upstream(asyncio.Protocol):
    transport: asyncio.Transport
    owner: Owner | None = None
    closing = False  # by us
    closed = False
    # ------ the answer to the request in flight
    status = 0  # of the final answer, once its head is complete; 0 before
    headers: Headers
    trailers: Headers
    ended = False  # the whole answer is here
    keep_alive = True
    malformed = False
    surplus = False  # more came than the answer: a second one, or none that HTTP knows
    upgraded: bytes | None = None  # after a 101: what already came in the new protocol
    plain = True  # the answer may be one that is passed on in one go (plain_heads.plain_answer)
    heard = False  # a byte of the answer has arrived
    head_only = False  # the request was HEAD
    upgrading = False  # the request asked for another protocol
    until_close = False  # the body ends with the connection
    remaining = 0  # bytes of a body whose length is known and which goes past the parser
    # ------ the connection
    served = 0  # requests sent on it
    written = 0  # bytes sent on it, ever
    written_before = 0  # of which before the request in flight
    served_when_seen = -1  # `served` when the pool last looked for idle connections

    def __init__(self, on_close: Callable[[Upstream], None]):
        self._on_close = on_close
        self.interim: list[tuple[int, Headers]] = []  # 1xx answers not yet passed on
        self.pieces: list[bytes] = []  # of the body, not yet passed on
        self._parser: Any = HttpResponseParser(self)
        self._incoming: Headers = []
        self._head_bytes = 0

    # ------------------------------------------------------------------------------------------ sending

    def send(self, owner: Owner, data: bytes, head_only: bool, upgrading: bool) -> None:
        """A request's head, and what there is of its body; forgets the answer to the one before."""
        self.owner = owner
        self.served += 1
        self.heard = False
        self.plain = not (head_only or upgrading)
        if not self.plain or self.status or self.ended:
            self._forget(head_only, upgrading)
        self.written_before = self.written
        self.written += len(data)
        self.transport.write(data)

    def _forget(self, head_only: bool, upgrading: bool) -> None:
        self.head_only = head_only
        self.upgrading = upgrading
        self.status = 0
        self.ended = False
        self.keep_alive = True

    def write(self, data: bytes) -> None:
        """More of a request's body."""
        self.written += len(data)
        self.transport.write(data)

    # ------------------------------------------------------------------------------------------ receiving

    def data_received(self, data: bytes) -> None:
        owner = self.owner
        if owner is None:  # bytes that nobody asked for: the connection cannot be trusted
            self.close()
            return
        if self.plain and not self.heard and owner.upstream_whole(self, data):
            return
        self.heard = True
        if self.remaining:
            self._receive_body(data)
        else:
            self._parse(data)
        owner.upstream_received(self)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as stopped:
            self.upgraded = data[stopped.args[0] :]
            self.malformed = not self.upgrading
        except HttpParserError:
            self.surplus = self.ended
            self.malformed = not self.ended
        if self.status == 101 and self.upgraded is None:
            self.malformed = True
        if not self.status:
            self._head_bytes += len(data)
            self.malformed |= self._head_bytes > MAX_HEAD_BYTES or len(self._incoming) > MAX_HEADERS
        elif not self.ended and not self.remaining and not self.until_close:
            self._learn_framing()

    def _learn_framing(self) -> None:
        """A body that did not come with its head: from now on it is counted rather than parsed, when its length is
        known."""
        fields = dict(self.headers)
        length = fields.get(b"content-length")
        if length is not None:
            self.remaining = int(length) - sum(map(len, self.pieces))
            self.keep_alive = self._parser.should_keep_alive()
            self._parser = HttpResponseParser(self)
        elif b"transfer-encoding" not in fields:
            self.until_close = True

    def _receive_body(self, data: bytes) -> None:
        self.remaining -= len(data)
        if self.remaining < 0:
            data, self.remaining, self.surplus = data[: self.remaining], 0, True
        self.pieces.append(data)
        self.ended = not self.remaining

    def on_message_begin(self) -> None:
        self._incoming = []
        if self.status:
            self.surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._incoming.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self.surplus:
            return
        if status < 200 and status != 101:
            self.interim.append((status, self._incoming))
        else:
            self._head_complete(status)

    def _head_complete(self, status: int) -> None:
        self.status = status
        self.headers = self._incoming
        self.trailers = self._incoming = []
        self.malformed |= len(self.headers) > MAX_HEADERS
        self._head_bytes = 0
        if self.head_only:
            # llhttp waits for the body that the length promises, so its state is of no further use.
            fields = dict(self.headers)
            self.keep_alive = (
                b"close" not in fields.get(b"connection", b"").lower() and self._parser.get_http_version() == "1.1"
            )
            self.ended = True

    def on_body(self, data: bytes) -> None:
        if self.ended:
            self.surplus = True
        else:
            self.pieces.append(data)

    def on_message_complete(self) -> None:
        if self.status and not self.ended:
            self.ended = True
            self.keep_alive = self._parser.should_keep_alive()

    def take_pieces(self) -> list[bytes]:
        pieces, self.pieces = self.pieces, []
        return pieces

    # ------------------------------------------------------------------------------------------ life and death

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not inherit from it
        self.transport.set_write_buffer_limits(high=HIGH_WATER)

    def eof_received(self) -> bool | None:
        if self.until_close and not self.malformed:
            self.ended, self.keep_alive = True, False
            if self.owner is not None:
                self.owner.upstream_received(self)
        elif self.owner is not None and not self.heard:
            self.undelivered = self._never_delivered()
        return None

    undelivered = False  # the peer closed without taking a byte of the request: it may be sent again, whatever it is

    def _never_delivered(self) -> bool:
        """Whether the peer's kernel acknowledged nothing of the request in flight.

        An endpoint that closes an idle connection just as we use it answers our bytes with RST and never acknowledges
        them; one that read the request and then died has acknowledged it. (The handshake counts as one byte: RFC
        4898, linux tcp_info.)"""
        if self.served < 2:
            return False
        try:
            info = self.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
        except OSError:
            return False
        if len(info) < TCP_INFO_BYTES_ACKED + 8:
            return False
        return bool(struct.unpack_from("Q", info, TCP_INFO_BYTES_ACKED)[0] <= self.written_before + 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._on_close(self)
        owner, self.owner = self.owner, None
        if owner is not None:
            owner.upstream_lost(self)

    def pause_writing(self) -> None:
        if self.owner is not None:
            self.owner.upstream_full()

    def resume_writing(self) -> None:
        if self.owner is not None:
            self.owner.upstream_drained()

    def reset_for_next(self) -> None:
        """The answer has been passed on; makes the connection fit for another request."""
        if self.head_only:
            self._parser = HttpResponseParser(self)
        if self.pieces:
            self.pieces = []

    @property
    def reusable(self) -> bool:
        return (
            self.ended
            and self.keep_alive
            and not (self.malformed or self.surplus or self.closing)
            and not self.transport.is_closing()
        )

    def close(self) -> None:
        """Ends the connection; nobody owns it any more."""
        self.owner = None
        self.closing = True
        self.transport.abort()
