"""One connection to an endpoint: send bytes, parse the response, call the owner.

The parser's callbacks only record. When a read has been parsed the owner is called once, and finds what has arrived so
far in `status`, `headers`, `pieces` and `ended`; so a small response is one call and can be one write.

What Envoy's codec refuses sets `malformed`: without a `status` when the head is at fault, with one when the body is.
Trailers are counted against the limit of a head and not kept: Istio does not enable them for HTTP/1.1."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from chaos.mesh.decision import Failure, Headers

MAX_HEADERS = 100  # Envoy's default; more is a protocol error
MAX_HEAD_BYTES = 80 * 1024  # as in BalsaParser, which counts the first line and the empty one, too
HIGH_WATER = 512 * 1024  # bytes waiting in a socket's write buffer before the other side is asked to pause
TCP_INFO_BYTES_ACKED = 120  # offset in struct tcp_info (linux/tcp.h)

_END_OF_HEAD = b"\r\n\r\n"
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Owner(Protocol):
    """Whoever sends a request: an attempt, or a mirrored copy."""

    def upstream_connected(self, connection: Upstream) -> None:
        """Send the request: the connection is the owner's until it releases it."""

    def upstream_failed(self, failure: Failure, reason: str) -> None:
        """Learn that there will be no connection."""

    def upstream_whole(self, connection: Upstream, data: bytes) -> bool:
        """Take the first read of the response if it is a whole, plain response (plain_heads.py).

        Returns True when it has been dealt with and the connection given back, False to have it parsed."""

    def upstream_received(self, connection: Upstream) -> None:
        """Look at the connection's fields: more of the response has arrived."""

    def upstream_lost(self, connection: Upstream) -> None:
        """Learn that the connection has closed; what was received stays readable."""

    def upstream_full(self) -> None:
        """Send no more for now."""

    def upstream_drained(self) -> None:
        """Send again."""


class Upstream(asyncio.Protocol):
    """The connection. `on_close` is called once, when it has closed for whatever reason."""

    transport: asyncio.Transport
    owner: Owner | None = None
    closing = False  # by us
    closed = False
    # ------ the response to the request in flight
    status = 0  # of the final response, once its head is complete; 0 before
    headers: Headers
    length: int | None = None  # of the body in bytes, as the head says
    chunked = False
    ended = False  # the whole response is here
    keep_alive = True
    malformed = False
    surplus = False  # more came than the response: a second one, or bytes that are no HTTP
    upgraded: bytes | None = None  # after a 101: the bytes that already came in the new protocol
    plain = True  # the response may be one that is forwarded in one write (plain_heads.plain_answer)
    heard = False  # a byte of the response has arrived
    head_only = False  # the request was HEAD
    upgrading = False  # the request asked for another protocol
    until_close = False  # the body ends with the connection
    in_head = False  # a head has begun and is not complete
    remaining = 0  # bytes still to come of a body of known length, which bypasses the parser
    # ------ the connection
    served = 0  # requests sent on it
    written = 0  # bytes sent on it, ever
    written_before = 0  # how many of them before the request in flight
    own_address = ""  # as an access log has it, once it has needed it
    served_when_seen = -1  # `served` when the pool last looked for idle connections

    def __init__(self, on_close: Callable[[Upstream], None]):
        self._on_close = on_close
        self.interim: list[tuple[int, Headers]] = []  # 1xx responses not yet passed on
        self.pieces: list[bytes] = []  # of the body, not yet passed on
        self._parser: Any = HttpResponseParser(self)
        self._incoming: Headers = []
        self._reason_bytes = 0
        self._bad_reason = False
        self._new_head = False  # it began in this read
        self._long = False  # this read, and those before it in the head, exceed the limit of a head
        self._head_bytes = 0  # of a head that did not come in one read, then of trailers
        self._relayed = False  # an interim response: Envoy relays only the first
        self._unfilled = False  # the last thing parsed was a chunk's length: its bytes follow, or the trailers

    # ------------------------------------------------------------------------------------------ sending

    def send(self, owner: Owner, data: bytes, head_only: bool, upgrading: bool) -> None:
        """Send a request's head and the part of its body that is here. Forgets the previous response."""
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
        self._relayed = False

    def write(self, data: bytes) -> None:
        """Send more of a request's body."""
        self.written += len(data)
        self.transport.write(data)

    # ------------------------------------------------------------------------------------------ receiving

    def data_received(self, data: bytes) -> None:
        owner = self.owner
        if owner is None:  # bytes that nobody asked for: the connection cannot be trusted
            self.close()
            return
        if not self.heard:
            if self.plain and owner.upstream_whole(self, data):
                return
            self.heard = True
            self.malformed = data[:1] in (b"\r", b"\n")  # llhttp would skip empty lines, Envoy does not
        if self.remaining:
            self._receive_body(data)
        else:
            self._parse(data)
        owner.upstream_received(self)

    def _parse(self, data: bytes) -> None:
        in_trailers = self._unfilled
        self._long = self._head_bytes + len(data) > MAX_HEAD_BYTES
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as stopped:
            self.upgraded = data[stopped.args[0] :]
        except HttpParserError:
            self.surplus = self.ended
            self.malformed |= not self.ended
        if (self.status == 101) != (self.upgraded is not None) or (self.upgraded is not None and not self.upgrading):
            self.status, self.malformed = 0, True
        if self.in_head:
            self._count_head(data)
        elif self._unfilled:
            self._head_bytes += len(data) if in_trailers else 0
            self.malformed |= self._head_bytes > MAX_HEAD_BYTES
        elif self.status and not (self.ended or self.remaining or self.until_close):
            self._learn_framing()

    def _count_head(self, data: bytes) -> None:
        """Count the bytes of a head that continues in the next read. Of the read in which it began, only the bytes
        after the last blank line belong to it."""
        if self._new_head:
            self._head_bytes = len(data) - (data.rfind(_END_OF_HEAD) + 1)
            self._new_head = False
        else:
            self._head_bytes += len(data)
        self.malformed |= self._head_bytes > MAX_HEAD_BYTES or len(self._incoming) > MAX_HEADERS

    def _learn_framing(self) -> None:
        """Prepare for a body that did not come with its head. A body of known length is counted from now on, not
        parsed."""
        if self.length is not None:
            self.remaining = self.length - sum(map(len, self.pieces))
            self.keep_alive = self._parser.should_keep_alive()
            self._parser = HttpResponseParser(self)
        elif not self.chunked:
            self.until_close = True

    def _receive_body(self, data: bytes) -> None:
        self.remaining -= len(data)
        if self.remaining < 0:
            data, self.remaining, self.surplus = data[: self.remaining], 0, True
        self.pieces.append(data)
        self.ended = not self.remaining

    def on_message_begin(self) -> None:
        self._incoming = []
        self._reason_bytes, self._bad_reason = 0, False
        self.in_head = self._new_head = True
        if self.status:
            self.surplus = True

    def on_status(self, reason: bytes) -> None:
        self._reason_bytes += len(reason)
        self._bad_reason = self._bad_reason or _CONTROL.search(reason) is not None

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_head:
            self._incoming.append((name.lower(), value.rstrip()))
        else:
            self._head_bytes += len(name) + len(value) + len(": \r\n")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self.in_head = self._new_head = False
        self._head_bytes = len("\r\n")  # that end the trailers
        if self.surplus or self.malformed:
            return
        if not self._well_formed(status):
            self.malformed = True
        elif status < 200 and status != 101:
            self._interim_complete(status)
        else:
            self._head_complete(status)

    def _well_formed(self, status: int) -> bool:
        """Return whether Envoy's codec accepts this head. Sets `length` and `chunked`."""
        headers = self._incoming
        fields = dict(headers)
        length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
        self.length = int(length) if length else None
        self.chunked = coding is not None
        if status < 100 or self._bad_reason or len(headers) > MAX_HEADERS or (self._long and self._too_long(headers)):
            return False
        if (status < 200 or status == 204) and (self.chunked or self.length):
            return False
        if len(fields) != len(headers) and sum(name == b"transfer-encoding" for name, _ in headers) > 1:
            return False
        return coding is None or coding.lower() == b"chunked"

    def _too_long(self, headers: Headers) -> bool:
        size = sum([len(name) + len(value) + len(": \r\n") for name, value in headers])
        return size + len("HTTP/1.1 200 \r\n\r\n") + self._reason_bytes > MAX_HEAD_BYTES

    def _interim_complete(self, status: int) -> None:
        """Keep the first interim response of an exchange, which Envoy relays; the others are dropped."""
        if not self._relayed:
            self._relayed = True
            self.interim.append((status, self._incoming))

    def _head_complete(self, status: int) -> None:
        self.status = status
        self.headers = self._incoming
        if self.head_only:
            # llhttp waits for the body that the length promises, so its state is of no further use.
            fields = dict(self.headers)
            self.keep_alive = (
                b"close" not in fields.get(b"connection", b"").lower() and self._parser.get_http_version() == "1.1"
            )
            self.ended = True

    def on_chunk_header(self) -> None:
        self._unfilled = True

    def on_body(self, data: bytes) -> None:
        self._unfilled = False
        if self.ended:
            self.surplus = True
        else:
            self.pieces.append(data)

    def on_message_complete(self) -> None:
        self._unfilled = False
        if self._head_bytes > MAX_HEAD_BYTES:
            self.malformed = True
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
        """Handle the peer's FIN: the end of a body without a length, or of a connection that took nothing of the
        request."""
        if self.until_close and not self.malformed:
            self.ended, self.keep_alive = True, False
            if self.owner is not None:
                self.owner.upstream_received(self)
        elif self.owner is not None and not self.heard:
            self.undelivered = self._never_delivered()
        return None

    undelivered = False  # the peer closed without taking a byte of the request: it may be sent again, whatever it is

    def _never_delivered(self) -> bool:
        """Return whether the peer's kernel acknowledged nothing of the request in flight.

        An endpoint that closes an idle connection just as we use it sends RST for our bytes and never acknowledges
        them; one that read the request and then died has acknowledged it. The handshake counts as one byte (RFC 4898,
        linux tcp_info)."""
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
        self._parser = None  # it refers back to this object: without it nothing waits for the garbage collector
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
        """Make the connection fit for another request, once the response has been passed on."""
        if self.head_only:
            self._parser = HttpResponseParser(self)
        if self.pieces:
            self.pieces = []

    @property
    def reusable(self) -> bool:
        """Whether the connection can serve another request."""
        return (
            self.ended
            and self.keep_alive
            and not (self.malformed or self.surplus or self.closing)
            and not self.transport.is_closing()
        )

    def close(self) -> None:
        """Close at once, without calling the owner."""
        self.owner = None
        self.closing = True
        self.transport.abort()
