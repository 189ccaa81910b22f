"""One client connection: parse requests, keep them in order, write responses, and refuse what Envoy's codec refuses.

The parser's callbacks only record; `data_received` acts when a read has been parsed. Requests that arrive while one is
in flight wait (HTTP/1.1 pipelining). Reading pauses when many wait, or when upstream does not take a request's body.
Trailers are counted against the limit of a head and not kept: Istio does not enable them for HTTP/1.1."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from struct import pack
from typing import Any, NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from chaos.gateway.exchange.admission import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    check_connection,
    check_form,
    check_size,
    expect_body,
    other_form,
    upgrade_of,
    without,
)
from chaos.gateway.exchange.client import Exchanging
from chaos.gateway.exchange.exchange import Exchange
from chaos.gateway.exchange.plain_heads import PlainRequest, plain_request
from chaos.gateway.exchange.policed import PolicedExchange
from chaos.gateway.exchange.wire import HTTP2_REFUSAL, METHODS
from chaos.gateway.state.worker_state import BEAT_SECONDS, WorkerState
from chaos.gateway.upstream.connection import HIGH_WATER
from chaos.mesh.decision import Headers

MAX_WAITING = 32  # pipelined requests kept before reading pauses
IDLE_SECONDS = 3600.0  # without a request (Envoy's idle_timeout)
HEAD_SECONDS = 300.0  # for a request's head to arrive
NO_LINGER = pack("ii", 1, 0)  # a struct linger with which a close is a reset
LINGER_SECONDS = 1.0  # after a last response to a client that may still be sending (Envoy's delayed_close_timeout)

_TURNS = 3  # of the loop, in which it sends what has been written

_BODY, _UPSTREAM, _PIPELINE, _EARLY = 1, 2, 4, 8  # reasons for not reading


class Kinds(NamedTuple):
    """The classes of a connection's exchanges: in a gateway with policies, and in one without."""

    plain: type[Exchange] = Exchange
    policed: type[Exchange] = PolicedExchange


class Downstream(asyncio.Protocol):
    """The asyncio protocol of one client connection; a Client for its exchanges, a ClientConnection for the worker."""

    transport: asyncio.Transport
    remote = b"127.0.0.1"
    local = b"127.0.0.1"  # this proxy's own address, as the client sees it
    full = False  # the client does not read: write no more than what is in flight
    closing = False  # whatever still arrives is ignored
    deaf = False  # what arrives cannot be parsed, or must not be: a response that says so is due
    current: Exchanging | None = None  # whose turn it is
    receiving: Exchange | None = None  # whose request has not arrived completely
    beat = 0  # the worker's beat when this connection last read or wrote
    addresses = ""  # both ends, as an access log has them, once it has needed them

    def __init__(self, worker: WorkerState, kinds: Kinds = Kinds()):  # noqa: B008 - immutable
        self.worker = worker
        self._kinds = kinds
        self.waiting: deque[Exchange] = deque()
        self._parser: Any = HttpRequestParser(self)
        self._headers: Headers = []
        self._target = b""
        self.in_head = False  # a request's head has begun to arrive
        self._head_bytes = 0  # of a head that did not come in one read
        self._new_head = False  # a head began in this read
        self._long = False  # this read alone exceeds the limit of a head
        self._trailer_bytes = 0
        self._unfilled = False  # the last thing parsed was a chunk's length: its bytes follow, or the trailers
        self._held = 0  # the reasons for which reading is paused
        self._advancing = False  # so that an exchange that ends at once does not make `advance` recursive
        self._after_upgrade: bytes | None = None  # bytes after a request for another protocol; None until there is one

    # ------------------------------------------------------------------------------------------ reading

    def data_received(self, data: bytes) -> None:
        if self.closing or self.deaf:
            return
        if self._after_upgrade is not None:
            self._keep_early(data)
            return
        self.beat = self.worker.beat
        current = self.current
        if current is None and self.receiving is None and not self.in_head:
            plain = plain_request(data)
            if plain is not None:
                self._begin(plain)
                return
        self._parse(data)
        if current is None:
            self.advance()
        elif current is self.current:
            current.progressed()
        if len(self.waiting) > MAX_WAITING:
            self._hold(_PIPELINE)

    def _begin(self, plain: PlainRequest) -> None:
        """Begin a whole request that came alone in one read, past llhttp; no earlier request is waiting for its
        response."""
        method, target, headers, fields = plain
        authority = fields.get(b"host")
        kind = self._kinds.policed if self.worker.policing.any else self._kinds.plain
        exchange = self.current = kind(self, method, target, authority, headers, fields)
        if authority not in self.worker.authorities:
            check_form(exchange, authority)
        exchange.begin()

    def _parse(self, data: bytes) -> None:
        between = self.receiving is None and not self.in_head
        in_trailers = self._unfilled
        self._long = len(data) > MAX_HEAD_BYTES
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as stopped:
            self._upgrade(data[stopped.args[0] :])
            return
        except HttpParserError as error:
            self._malformed(error)
        if self.in_head:
            self._count_head(data, between)
        elif in_trailers and self._unfilled:
            self._trailer_bytes += len(data)
            if self._trailer_bytes > MAX_HEAD_BYTES:
                self._refuse(431)

    def _count_head(self, data: bytes, between: bool) -> None:
        """Count the bytes of a head that continues in the next read.

        If the read in which it began began with it (`between`), all of that read belongs to it; otherwise only the
        bytes after the last blank line."""
        if not self._new_head:
            self._head_bytes += len(data)
        elif between or b"\r\n\r\n" in data:
            self._head_bytes = len(data) - (data.rfind(b"\r\n\r\n") + 1)
        self._new_head = False
        if self._head_bytes > MAX_HEAD_BYTES or len(self._headers) > MAX_HEADERS:
            self._refuse(431)

    def on_message_begin(self) -> None:
        self._new_head = True
        self._headers = []
        self._target = b""
        self.in_head = True

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_head:
            self._headers.append((name.lower(), value.rstrip()))
        else:
            self._trailer_bytes += len(name) + len(value) + len(": \r\n")

    def on_headers_complete(self) -> None:
        self.in_head = False
        headers = self._headers
        fields = dict(headers)
        target, authority, scheme = self._target, fields.get(b"host"), b""
        if target[:1] != b"/":
            target, authority, scheme = other_form(target, authority)
        parser, worker = self._parser, self.worker
        method = parser.get_method()
        kind = self._kinds.policed if worker.policing.any else self._kinds.plain
        exchange = self.receiving = kind(self, method, target, authority, headers, fields)
        if scheme:
            exchange.request.url_scheme = scheme
            if scheme == b"https" and worker.replaces_ids:  # a gateway knows that it does not speak TLS here
                exchange.turn_away(worker.refusals[403])
        if b"content-length" in fields or b"transfer-encoding" in fields:
            expect_body(exchange, fields)
            self._trailer_bytes = len("\r\n")  # that end the trailers
        if b"connection" in fields or not parser.should_keep_alive():
            check_connection(exchange, headers, parser.get_http_version(), parser.should_keep_alive())
        if len(fields) != len(headers) or len(headers) > MAX_HEADERS or self._head_bytes or self._long:
            check_size(exchange, headers, self._target)
            self._head_bytes = 0
        if target[:1] != b"/" or authority not in worker.authorities or method not in METHODS:
            check_form(exchange, authority)
        self.waiting.append(exchange)

    def on_chunk_header(self) -> None:
        self._unfilled = True

    def on_body(self, data: bytes) -> None:
        self._unfilled = False
        exchange = self.receiving
        if exchange is not None:
            exchange.received(data)

    def on_message_complete(self) -> None:
        self._unfilled = False
        if self._trailer_bytes > MAX_HEAD_BYTES:
            self._refuse(431)
        self._trailer_bytes = 0
        exchange = self.receiving
        if exchange is not None:
            exchange.finished()
            self.receiving = None

    # ------------------------------------------------------------------------------------------ out of the ordinary

    def _upgrade(self, rest: bytes) -> None:
        """Handle a last request that asks for another protocol.

        WebSocket waits for upstream's 101; h2c is parsed as if the client had not asked for it. A body before the other
        protocol is refused: the two sides could disagree about where it ends."""
        exchange = self.waiting[-1]
        protocol = upgrade_of(exchange.request.headers)
        if exchange.refusal is not None:
            self.deaf = True
        elif protocol == b"websocket" and exchange.body is None:
            exchange.ask_for_websocket()
            self._after_upgrade = b""
            self._keep_early(rest)
        elif protocol == b"h2c":
            self._read_on(self.waiting.pop(), rest)
        else:
            exchange.turn_away(self.worker.refusals[400] if protocol == b"websocket" else self.worker.forbidden)
            self.deaf = True

    def _keep_early(self, data: bytes) -> None:
        """Keep what a client sends in the new protocol before upstream has agreed to it, up to a limit."""
        self._after_upgrade = (self._after_upgrade or b"") + data
        if len(self._after_upgrade) > HIGH_WATER:
            self._hold(_EARLY)

    def _read_on(self, exchange: Exchange, rest: bytes) -> None:
        """Parse the head once more without the upgrade headers, because llhttp skips the body of an upgrade request."""
        request = exchange.request
        named = {b"upgrade", b"http2-settings"}
        lines = [
            b"%b: %b\r\n" % (name, without(value, named) if name == b"connection" else value)
            for name, value in request.headers
            if name not in named
        ]
        head = b"%b %b HTTP/1.1\r\n%b\r\n" % (request.method, self._target, b"".join(lines))
        self._parser = HttpRequestParser(self)
        self._parse(head + rest)

    def _malformed(self, error: HttpParserError) -> None:
        if "Data after `Connection: close`" in str(error):
            return  # the client's own `connection: close` says that these bytes do not matter
        if "PRI/Upgrade" in str(error) and self.current is None and not self.waiting:
            self._refuse_http2()
            return
        self._refuse(426 if "Invalid HTTP version" in str(error) else 400)

    def _refuse_http2(self) -> None:
        """Refuse a client that begins with the preface of HTTP/2, in its own protocol."""
        self.in_head = False
        self.worker.met_http2()
        self.write(HTTP2_REFUSAL)
        self.finish(linger=True)

    def _refuse(self, status: int) -> None:
        """Refuse what arrives from now on: the responses that are due are sent, then this status, then the connection
        closes."""
        self.in_head = self._unfilled = False
        self.deaf = True
        exchange = self.receiving
        self.receiving = None
        if exchange is None:
            exchange = self._kinds.plain(self, b"", b"", b"", [], {})
            self.waiting.append(exchange)
        if exchange is self.current:
            exchange.refuse(self.worker.refusals[status])
        else:
            exchange.turn_away(self.worker.refusals[status])

    # ------------------------------------------------------------------------------------------ requests in turn

    def advance(self) -> None:
        """Begin the waiting requests one after another, as long as each is answered at once."""
        if self._advancing:
            return
        self._advancing = True
        waiting = self.waiting
        while waiting and self.current is None and not self.closing:
            exchange = self.current = waiting.popleft()
            exchange.begin()
        self._advancing = False
        if self._held & _PIPELINE and len(waiting) < MAX_WAITING:
            self._release(_PIPELINE)

    def exchange_done(self) -> None:
        self.current = None
        if self.waiting:
            self.advance()

    def write(self, data: bytes) -> None:
        self.beat = self.worker.beat
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.full = True
        if self.current is not None:
            self.current.client_full()

    def resume_writing(self) -> None:
        self.full = False
        if self.current is not None:
            self.current.client_drained()

    def hold_body(self, hold: bool) -> None:
        if hold:
            self._hold(_BODY)
        elif self._held & _BODY:
            self._release(_BODY)

    def hold_upstream(self, hold: bool) -> None:
        if hold:
            self._hold(_UPSTREAM)
        elif self._held & _UPSTREAM:
            self._release(_UPSTREAM)

    def _hold(self, reason: int) -> None:
        if not self._held and not self.transport.is_closing():
            self.transport.pause_reading()
        self._held |= reason

    def _release(self, reason: int) -> None:
        self._held &= ~reason
        if not self._held and not self.transport.is_closing():
            self.transport.resume_reading()

    # ------------------------------------------------------------------------------------------ life and death

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not inherit from it
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        peer = transport.get_extra_info("peername")
        if peer:
            self.remote = peer[0].encode()
        own = transport.get_extra_info("sockname")
        if own:
            self.local = own[0].encode()
        self.beat = self.worker.beat
        self.worker.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End everything: the client is gone, or has closed its half, which Envoy treats alike."""
        self.closing = True
        self._parser = None  # it refers back to this object: without it nothing waits for the garbage collector
        self.worker.connections.discard(self)
        current, self.current = self.current, None
        if current is not None:
            current.cancel()
        self.waiting.clear()

    def finish(self, *, linger: bool) -> None:
        """Close after the last response, which is on its way. A client that may still be sending gets a second to read
        it before the reset."""
        self.current = None
        self.closing = True
        if not linger:
            self.close()
            return
        self._held = 0
        self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.worker.after(LINGER_SECONDS, self._lingered)

    def _lingered(self) -> None:
        if self.transport.get_write_buffer_size():  # the client reads slowly: a reset would take the rest from it
            self.worker.after(9 * LINGER_SECONDS, self.transport.abort)
        else:
            self.transport.abort()

    def reset(self) -> None:
        """Reset the connection (TCP RST). What has been written goes before it, if the client takes it at once."""
        self.current = None
        self.closing = True
        self._reset(_TURNS)

    def _reset(self, turns: int) -> None:
        if self.transport.is_closing():
            return
        if turns and self.transport.get_write_buffer_size():
            self.worker.after(0.0, self._reset, turns - 1)
            return
        own = self.transport.get_extra_info("socket")
        if own is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.transport.abort()

    def hand_over(self, to: Exchanging) -> None:
        """Let another object have what the connection has to say to the exchange, until its response is over."""
        self.current = to

    def cut(self) -> None:
        """Close, so that the client learns that its response cannot be completed."""
        self.current = None
        self.close()

    def abort(self) -> None:
        self.transport.abort()

    def close(self) -> None:
        """Close once everything written has been sent; a client that does not read it is reset after ten seconds."""
        self.closing = True
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self.worker.after(10 * LINGER_SECONDS, self.transport.abort)

    def drain(self) -> None:
        """Take no more requests: an idle connection closes now, others after the requests that they have begun."""
        if self.current is None and not self.waiting and not self.in_head:
            self.close()

    def close_if_idle(self, beat: int) -> None:
        """Close a connection on which nothing has happened for too long; a head that is not complete gets 408."""
        silent = (beat - self.beat) * BEAT_SECONDS
        if silent <= (HEAD_SECONDS if self.in_head else IDLE_SECONDS):
            return
        if self.in_head:
            self._refuse(408)
            self.advance()
        elif self.current is None:
            self.close()

    def become_tunnel(self, protocol: asyncio.Protocol) -> bytes:
        """Hand the transport to another protocol. Returns the bytes that were read after the request for it."""
        self.current = None
        self.transport.set_protocol(protocol)
        early, self._after_upgrade = self._after_upgrade or b"", b""
        if self._held & _EARLY:
            self._release(_EARLY)
        return early
