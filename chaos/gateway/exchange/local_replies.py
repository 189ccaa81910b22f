"""One request: all that is known of it, and the answers that the gateway makes itself.

`Exchange` (exchange.py) is made of four layers, each knowing those below: what it knows and local answers (here),
tries and their failures (tries.py), bodies in pieces and copies (bodies.py), and on top the short way that nearly all
requests take."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, cast

from chaos.gateway.exchange.mirror import Mirror
from chaos.gateway.exchange.wire import CRLF, reply_head
from chaos.gateway.state.counters import FAULT_TAGS, Ledger
from chaos.gateway.upstream.connection import Upstream
from chaos.mesh.decision import Decision, Forward, Headers, Reply, Request

if TYPE_CHECKING:
    from chaos.gateway.exchange.downstream import Downstream
    from chaos.gateway.upstream.pool import Host, Pool

_GRPC_MESSAGE = re.compile(rb"\r\ngrpc-message: [^\r]*\r\n")  # stands for a body, which HEAD has not


class Replies:
    # What the parser knows (downstream.py sets it)
    plain = False  # it came the short way: complete, without a body or wishes about the connection
    draw_id: bytes  # the client's x-request-id, from which the draws follow, also where a gateway gives it another
    refusal: Reply | None = None  # the request is answered with this, before any routing
    complete = False  # the whole request has been received
    has_body = False  # it was not complete with its head
    chunked = False
    body: list[bytes]  # received, not yet sent upstream
    kept: list[bytes]  # sent upstream, kept for another try
    size = 0  # bytes of body received
    websocket = False  # it asks for one
    close = False  # the client wants the connection closed afterwards
    trailers: Headers
    # What has been decided
    decision: Decision
    ledger: Ledger
    fault = ""
    forward: Forward = cast(Forward, None)  # None until the request is to be forwarded
    waited = False  # for a delay
    # The tries
    tries = 0
    head = b""  # of the upstream request, without its last header
    pool: Pool
    host: Host | None = None
    connection: Upstream | None = None  # that the request has been sent on, at least its head
    retrying = False  # it counts against the cluster's max_retries
    tried: list[Host] | None = None  # endpoints that a retry avoids
    mirrors: tuple[Mirror, ...] = ()
    unmirrored: list[bytes]  # of the body, not yet sent to mirrors
    mirrored_all = False
    sent_all = False
    replayable = True  # the whole body, as far as it has come, is still here
    sent_at = 0.0
    hashed: Request | None = None  # the request as consistent hashing sees it, when it was given a cookie
    cookie = b""  # the answer's set-cookie line for it
    # The answer
    status = 0  # sent to the client; 0 before
    rechunk = False  # the answer's body goes out in chunks
    # Timers
    timer: asyncio.TimerHandle | None = None  # the delay, or the back-off
    timeout: asyncio.TimerHandle | None = None  # the route's
    per_try: asyncio.TimerHandle | None = None

    def __init__(
        self,
        downstream: Downstream,
        method: bytes,
        target: bytes,
        authority: bytes | None,
        headers: Headers,
        fields: dict[bytes, bytes],
    ):
        self.downstream = downstream
        plane = self.plane = downstream.plane
        request = Request(method, target, authority or b"", headers, b"http", downstream.remote, b"", fields)
        self.request = request
        given = fields.get(b"x-request-id")
        request.id = given if given and not plane.replaces_ids else plane.new_id()
        self.draw_id = given or request.id

    def expect_body(self, *, chunked: bool) -> None:
        self.has_body = True
        self.chunked = chunked
        self.body = []
        self.kept = []

    def turn_away(self, reply: Reply) -> None:
        """It will be answered with this, when its turn comes, and with nothing after it. The first reason counts."""
        self.refusal = self.refusal or reply
        self.close = True

    # ------------------------------------------------------------------------------------------ local answers

    def _reply(self, reply: Reply) -> None:
        """An answer of our own."""
        self.status = reply.status
        self.close = self.close or reply.closes
        if self.refusal is not None:
            self._send_reply(reply, b"")
            return
        ledger = self.ledger
        ledger.statuses[reply.status] += 1
        # Envoy looks at this when the head has come: a body in the same read is a body still to come.
        early = self.has_body and not self.tries and not (self.waited and self.complete)
        self.close = self.close or early or self.websocket or self._last()
        if self.forward:
            self._send_reply(reply, self._tags())
            return
        tags = ledger.tags + self._fault_tag()
        if not (self.close or self.waited or self.request.method == b"HEAD"):
            ledger.reply, ledger.reply_date = reply, self.plane.date
            ledger.reply_bytes = self._reply_head(reply) + tags + CRLF + reply.body
        self._send_reply(reply, tags)

    def _send_reply(self, reply: Reply, tags: bytes) -> None:
        self.close = self.close or not self.complete
        connection = b"connection: close\r\n" if self.close else b""
        head, body = self._reply_head(reply), reply.body
        if self.request.method == b"HEAD":
            # Envoy's codec writes `content-length: 0` for want of a body, but in answer to HEAD it announces chunks.
            if not body:
                head = head.replace(b"\r\ncontent-length: 0\r\n", b"\r\ntransfer-encoding: chunked\r\n")
                head = _GRPC_MESSAGE.sub(CRLF, head)
            body = b""
        self.downstream.write(head + tags + connection + CRLF + body)
        self._finish()

    def _reply_head(self, reply: Reply) -> bytes:
        """With a date, unless the rule has set one."""
        head = reply_head(reply)
        return head if b"\r\ndate: " in head else head + self.plane.date

    def _local(self, status: int, body: bytes) -> None:
        """The router's own answer, with the rule's response operations."""
        self._reply(self.forward.headwork.local_reply(self.request, status, body))

    def _last(self) -> bool:
        """Whether the gateway is going down and this connection has nothing more to answer."""
        return self.plane.draining and not self.downstream.waiting

    def _finish(self) -> None:
        """The answer is complete: the connection turns to its next request."""
        if self.timeout is not None:
            self.timeout.cancel()
        if self.tries:
            self._end_tries()
        self.downstream.exchange_done(self)

    def _end_tries(self) -> None:
        if self.tries:
            self.ledger.tries[self.tries] += 1
        if self.retrying:
            self.pool.retrying -= 1
            self.retrying = False

    # ------------------------------------------------------------------------------------------ tags

    def _tags(self) -> bytes:
        cluster = self.forward.cluster
        tags = self.ledger.tags_to(cluster.name) if cluster is not None else self.ledger.tags
        return tags + self._fault_tag() + self._attempts_tag()

    def _fault_tag(self) -> bytes:
        return FAULT_TAGS[self.fault] if self.ledger.tagged else b""

    def _attempts_tag(self) -> bytes:
        return b"x-chaos-attempts: %d\r\n" % self.tries if self.tries > 1 and self.ledger.tagged else b""
