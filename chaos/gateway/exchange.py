"""One request from its decision to the last byte of its answer.

Everything happens in callbacks: there is no task per request. The short way, which nearly all requests take, reads
top to bottom:

    begin -> act -> _forward -> _try -> upstream_connected -> upstream_received -> _answer -> _finish

A local answer leaves it at `act`; what is rarer (a body still arriving, retries, timeouts, tunnels) branches off into
methods below or modules beside. A Decision is executed and never questioned."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from chaos.gateway.balancer import choose, cookie_of
from chaos.gateway.counters import FAULT_TAGS, Ledger
from chaos.gateway.heads import plain_answer
from chaos.gateway.mirror import Mirror, mirrored_head
from chaos.gateway.tunnel import open_tunnel
from chaos.gateway.upstream import Upstream
from chaos.gateway.wire import (
    CRLF,
    END_OF_HEAD,
    FIELD,
    FIRST_ATTEMPT,
    SERVICE_TIMES,
    STATUS_LINES,
    WITHOUT_LENGTH,
    chunk,
    last_chunk,
    reply_head,
    service_time,
)
from chaos.mesh.decision import (
    PENDING_TIME,
    Abort,
    Cluster,
    Decision,
    Failure,
    Forward,
    HashKey,
    Headers,
    Reply,
    Request,
)

if TYPE_CHECKING:
    from chaos.gateway.downstream import Downstream
    from chaos.gateway.pool import Host

REPLAY_LIMIT = 1 << 20  # bytes of a request's body that are kept to send it again (Envoy's buffer limit)
TIMED_OUT = b"upstream request timeout"
_GRPC_MESSAGE = re.compile(rb"\r\ngrpc-message: [^\r]*\r\n")  # stands for a body, which HEAD has not


class Exchange:
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
    host: Host | None = None
    connection: Upstream | None = None  # that the request has been sent on, at least its head
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

    # ------------------------------------------------------------------------------------------ the short way

    def begin(self) -> None:
        if self.refusal is not None:
            self._reply(self.refusal)
            return
        plane = self.plane
        decision = self.decision = plane.decide(self.request, plane.draws(self.draw_id))
        ledger = self.ledger = plane.phase.ledger(decision.rule)
        fault = self.fault = ledger.count(decision)
        if fault:
            plane.faulted.record(plane.phase.name, self.draw_id, self.request, ledger.key, fault)
        if decision.delay:
            self.waited = True
            self.timer = plane.after(decision.delay, self.act)
        else:
            self.act()

    def act(self) -> None:
        action = self.decision.action
        if type(action) is Forward:
            self._forward(action)
            return
        reply = cast(Abort, action).reply
        ledger, plane = self.ledger, self.plane
        if self.plain and ledger.reply is reply and ledger.reply_date is plane.date and not self.waited:
            # A rule's aborts are the same octets for a second, until the date changes.
            ledger.statuses[reply.status] += 1
            self.downstream.transport.write(ledger.reply_bytes)
            self.downstream.exchange_done(self)
        else:
            self._reply(reply)

    def _forward(self, forward: Forward) -> None:
        self.forward = forward
        cluster = forward.cluster
        if cluster is None:
            self._local(503, b"")
            return
        pool = self.pool = self.plane.pool(cluster)
        if forward.timeout is not None and self.complete:
            self.timeout = self.plane.after(forward.timeout, self._timed_out)
        request = self.request
        if cluster.hash_key is not None:
            self._give_cookie(cluster.hash_key)
        host = choose(pool, self.hashed or request)
        if host is None:
            self._local(503, b"no healthy upstream")
            return
        headers = forward.headwork.upstream_headers(request, forward)
        parts = (request.method, b" ", forward.target, b" HTTP/1.1\r\n", CRLF.join(map(FIELD, headers)), CRLF)
        head = b"".join(parts)
        if self.websocket or request.method not in WITHOUT_LENGTH:
            head = self._frame_request(head)
        self.head = head
        if forward.mirrors:
            self._start_mirrors(forward)
        self._try(host)

    def _try(self, host: Host) -> None:
        self.host = host
        self.tries += 1
        connection = host.acquire(self)
        if connection is not None:
            self.upstream_connected(connection)

    def upstream_connected(self, connection: Upstream) -> None:
        self.connection = connection
        self.ledger.upstream_requests += 1
        tries = self.tries
        head = self.head + (FIRST_ATTEMPT if tries == 1 else b"x-envoy-attempt-count: %d\r\n\r\n" % tries)
        if self.has_body:
            head += self._body_to_send()
        connection.send(self, head, self.request.method == b"HEAD", self.websocket)
        self.sent_at = self.plane.now()
        if self.complete:
            retry = self.forward.retry
            if retry is not None and retry.per_try_timeout is not None:
                self.per_try = self.plane.after(retry.per_try_timeout, self._try_timed_out)

    def upstream_whole(self, connection: Upstream, data: bytes) -> bool:
        """What came first, if it is a plain answer and all of it: it leaves in one write. Otherwise False.

        Many answers begin with the same octets (their date changes once a second); what became of such a head is
        remembered, where it depends on nothing but rule and destination."""
        head, _, body = data.partition(END_OF_HEAD)
        ledger = self.ledger
        known = ledger.answers.get(self.forward.headwork)
        made = known.get(head) if known is not None else None
        if made is None or made[2] != len(body):
            answer = plain_answer(head, body)
            if answer is None:
                return False
            status, headers = answer
            retriable = self._is_retriable(status, headers)
            if retriable and self._may_retry():
                self._give_back(connection)
                self._back_off()
                return True
            shared = self._shared_head(status, headers)
            if not retriable and self.forward.headwork.answers_alike and b"\r\ndate: " in shared:
                ledger.remember(self.forward.headwork, head, (status, shared, len(body)))
        else:
            status, shared, _ = made
            ledger.upstream_statuses[status] += 1
            self._try_answered(status)
        self.status = status
        ledger.statuses[status] += 1
        self.downstream.transport.write(b"".join((shared, self._own_lines(status, shared), CRLF, body)))
        self._give_back(connection)
        self._finish()
        return True

    def _give_back(self, connection: Upstream) -> None:
        self.connection = None
        if self.has_body and not self.sent_all:  # it still waits for the rest of a request
            connection.close()
        host_of(self).give_back(connection)

    def upstream_received(self, connection: Upstream) -> None:
        """What is not plain: a part of an answer, or one that ends, passes or fails in its own way."""
        if self.status:
            self._pass_on(connection)
            return
        if connection.interim:
            self._pass_on_interim(connection)
        status = connection.status
        if connection.malformed:
            self._try_failed(Failure.RESET, "protocol error", status=502)
        elif status:
            if self._is_retriable(status, connection.headers) and self._may_retry():
                self._let_go(connection)
                self._back_off()
            else:
                self._answer(connection, status)

    def _is_retriable(self, status: int, headers: Headers) -> bool:
        """Counts what a try has brought; whether the rule would have it tried again."""
        ledger = self.ledger
        ledger.upstream_statuses[status] += 1
        self._try_answered(status)
        retry = self.forward.retry
        if retry is None or not retry.retry_on(status, headers, True):
            return False
        ledger.upstream_failures += 1
        return True

    def _try_answered(self, status: int) -> None:
        if self.per_try is not None:
            self.per_try.cancel()
            self.per_try = None
        detector = host_of(self).detector
        if detector is not None:
            detector.answered(status)

    def _answer(self, connection: Upstream, status: int) -> None:
        self.status = status
        self.ledger.statuses[status] += 1
        if status == 101:
            open_tunnel(self, connection)
            return
        shared = self._shared_head(status, connection.headers)
        self.downstream.write(shared + self._own_lines(status, shared) + CRLF)
        self._pass_on(connection)
        if self.downstream.full and self.connection is connection:
            connection.transport.pause_reading()

    def _shared_head(self, status: int, headers: Headers) -> bytes:
        """Status line and headers of upstream's answer as the client gets them, and where it comes from; with CRLFs."""
        headers = self.forward.headwork.downstream_headers(self.request, status, headers)
        if status == 204:  # a length has no place there (RFC 9110 8.6); Envoy drops it, too
            headers = [header for header in headers if header[0] != b"content-length"]
        head = STATUS_LINES[status] + CRLF.join(map(FIELD, headers)) + CRLF
        if b"\r\nx-chaos-" in head and self.ledger.tagged:  # of another gateway, behind us, on another request
            headers = [header for header in headers if not header[0].startswith(b"x-chaos-")]
            head = STATUS_LINES[status] + CRLF.join(map(FIELD, headers)) + CRLF
        if self.forward.headwork.service_time_by_rule:
            head = head.replace(PENDING_TIME, b"%d" % self._milliseconds())
        return head + self.ledger.tags_to(cast("Cluster", self.forward.cluster).name)

    def _own_lines(self, status: int, shared: bytes) -> bytes:
        """The lines of this answer alone."""
        if self.forward.headwork.service_time_by_rule:
            lines = b""
        else:
            milliseconds = self._milliseconds()
            lines = SERVICE_TIMES[milliseconds] if milliseconds < 100 else service_time(milliseconds)
        if self.fault or self.tries > 1:
            lines += self._fault_tag() + self._attempts_tag()
        if b"\r\ndate: " not in shared:
            lines += self.plane.date
        if b"\r\ncontent-length: " not in shared:
            lines += self._framing_line(status, shared)
        if self.close or not self.complete or self.websocket or self.plane.draining:
            lines += self._closing_line()
        return lines + self.cookie if self.cookie else lines

    def _milliseconds(self) -> int:
        """That upstream took."""
        return int((self.plane.now() - self.sent_at) * 1000)

    def _closing_line(self) -> bytes:
        """For a request that is not all here, too: its rest would be read as the next one."""
        self.close = self.close or not self.complete or self.websocket or self._last()
        return b"connection: close\r\n" if self.close else b""

    def _finish(self) -> None:
        """The answer is complete: the connection turns to its next request."""
        if self.timeout is not None:
            self.timeout.cancel()
        if self.tries:
            self.ledger.tries[self.tries] += 1
        self.downstream.exchange_done(self)

    # ------------------------------------------------------------------------------------------ local answers

    def _tags(self) -> bytes:
        cluster = self.forward.cluster
        tags = self.ledger.tags_to(cluster.name) if cluster is not None else self.ledger.tags
        return tags + self._fault_tag() + self._attempts_tag()

    def _attempts_tag(self) -> bytes:
        return b"x-chaos-attempts: %d\r\n" % self.tries if self.tries > 1 and self.ledger.tagged else b""

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

    def _last(self) -> bool:
        """Whether the gateway is going down and this connection has nothing more to answer."""
        return self.plane.draining and not self.downstream.waiting

    def _fault_tag(self) -> bytes:
        return FAULT_TAGS[self.fault] if self.ledger.tagged else b""

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

    # ------------------------------------------------------------------------------------------ bodies

    def _frame_request(self, head: bytes) -> bytes:
        if self.websocket:
            if b"\r\nupgrade: " not in head:
                head += b"connection: Upgrade\r\nupgrade: websocket\r\n"
        elif not self.has_body and b"\r\ncontent-length: " not in head and b"\r\ntransfer-encoding: " not in head:
            head += b"content-length: 0\r\n"
        return head

    def request_progressed(self) -> None:
        """More of the request has come, or its end."""
        if self.mirrors:
            self._mirror_body()
        connection = self.connection
        if connection is not None and not self.sent_all:
            connection.write(self._body_to_send())
        elif self.size > REPLAY_LIMIT:
            self.downstream.hold_body(True)
        if self.complete and self.forward:
            self._request_complete()

    def _request_complete(self) -> None:
        """Timeouts begin when the whole request has been received (Envoy's router)."""
        forward = self.forward
        if forward.timeout is not None and self.timeout is None:
            self.timeout = self.plane.after(forward.timeout, self._timed_out)
        retry = forward.retry
        if retry is not None and retry.per_try_timeout is not None and self.connection is not None and not self.status:
            self.per_try = self.plane.after(retry.per_try_timeout, self._try_timed_out)

    def _body_to_send(self) -> bytes:
        """What has come of the body and not gone out, as it goes out."""
        pieces, self.body = self.body, []
        self._keep(pieces)
        self.downstream.hold_body(False)
        data = b"".join(map(chunk, pieces) if self.chunked else pieces)
        if self.complete:
            self.sent_all = True
            if self.chunked:
                data += last_chunk(self.trailers)
        return data

    def _keep(self, pieces: list[bytes]) -> None:
        """A request can be sent again while all of its body fits into the buffer, as in Envoy."""
        if self.size > REPLAY_LIMIT:
            self.replayable = False
            self.kept = []
        elif self.replayable:
            self.kept += pieces

    def _framing_line(self, status: int, head: bytes) -> bytes:
        """The answer has no length: chunks, unless there is to be no body."""
        if status == 204 or status == 304 or self.request.method == b"HEAD":
            return b""
        self.rechunk = True
        return b"" if b"\r\ntransfer-encoding: " in head else b"transfer-encoding: chunked\r\n"

    def _chunks(self, connection: Upstream) -> bytes:
        pieces = connection.take_pieces()
        data = b"".join(map(chunk, pieces))
        return data + last_chunk(connection.trailers) if connection.ended else data

    def _pass_on(self, connection: Upstream) -> None:
        """More of an answer whose head has gone out."""
        if connection.malformed:
            self._cut()
            return
        if self.rechunk:
            data = self._chunks(connection)
            if data:
                self.downstream.write(data)
        else:
            for piece in connection.take_pieces():
                self.downstream.write(piece)
        if connection.ended:
            self._let_go(connection)
            self._finish()

    def _pass_on_interim(self, connection: Upstream) -> None:
        for status, headers in connection.interim:
            self.downstream.write(b"%b%b\r\n" % (STATUS_LINES[status], b"".join([b"%b: %b\r\n" % h for h in headers])))
        connection.interim = []

    def upstream_full(self) -> None:
        self.downstream.hold_upstream(True)

    def upstream_drained(self) -> None:
        self.downstream.hold_upstream(False)

    def downstream_full(self) -> None:
        if self.connection is not None and self.status:
            self.connection.transport.pause_reading()

    def downstream_drained(self) -> None:
        if self.connection is not None:
            self.connection.transport.resume_reading()

    def _give_cookie(self, key: HashKey) -> None:
        """A client without the cookie that its requests are hashed by gets one (httpCookie with a ttl)."""
        if key.cookie is None or key.cookie_ttl is None or cookie_of(self.request, key.cookie) is not None:
            return
        value = b"%016x" % random.getrandbits(64)
        headers = [*self.request.headers, (b"cookie", key.cookie + b"=" + value)]
        self.hashed = replace(self.request, headers=headers)
        age = b"; Max-Age=%d" % key.cookie_ttl if key.cookie_ttl else b""
        path = b"; Path=" + key.cookie_path if key.cookie_path else b""
        self.cookie = b'set-cookie: %b="%b"%b%b; HttpOnly\r\n' % (key.cookie, value, age, path)

    def _start_mirrors(self, forward: Forward) -> None:
        mirrors = []
        for cluster in forward.mirrors:
            host = choose(self.plane.pool(cluster), self.request)
            if host is not None:
                head = mirrored_head(self.head, self.downstream.local, forward.timeout)
                mirrors.append(Mirror(self.plane, host, head, self.request.method == b"HEAD", forward.timeout))
        self.ledger.mirrored += len(forward.mirrors)
        self.mirrors = tuple(mirrors)
        if self.has_body:
            self.unmirrored = list(self.body)
            self._mirror_body()

    def _mirror_body(self) -> None:
        """Copies get the body as it comes, whatever becomes of the original."""
        pieces, self.unmirrored = self.unmirrored, []
        if self.mirrored_all:
            return
        data = b"".join(map(chunk, pieces) if self.chunked else pieces)
        if self.complete:
            self.mirrored_all = True
            if self.chunked:
                data += last_chunk(self.trailers)
        for mirror in self.mirrors:
            mirror.send(data, self.complete)

    # ------------------------------------------------------------------------------------------ failures and retries

    def upstream_failed(self, failure: Failure, reason: str) -> None:
        self._try_failed(failure, reason)

    def upstream_lost(self, connection: Upstream) -> None:
        if self.status:
            self._cut()
        elif connection.undelivered and self.replayable:
            self._resend()
        else:
            self._try_failed(Failure.RESET, Failure.RESET.value)

    def _resend(self) -> None:
        """An idle connection turned out to be dead, and not a byte of the request was taken: the same try, on another
        connection."""
        self.connection = None
        host = host_of(self)
        host.active -= 1
        self.tries -= 1
        self.ledger.upstream_requests -= 1
        self._rewind()
        self._try(host)

    def _rewind(self) -> None:
        if self.has_body:
            self.body = self.kept + self.body
            self.kept = []
            self.sent_all = False

    def _try_timed_out(self) -> None:
        self.per_try = None
        self._try_failed(Failure.PER_TRY_TIMEOUT, Failure.PER_TRY_TIMEOUT.value)

    def _try_failed(self, failure: Failure, reason: str, status: int = 503) -> None:
        sent = self.connection is not None
        host = host_of(self)
        if failure is not Failure.OVERFLOW and host.detector is not None:
            host.detector.failed()
        self._let_go(self.connection)
        retry = self.forward.retry
        if retry is not None and failure is not Failure.OVERFLOW and retry.retry_on(failure, [], sent):
            self.ledger.upstream_failures += 1
            if self._may_retry():
                self._back_off()
                return
        if failure is Failure.PER_TRY_TIMEOUT:
            self._local(504, TIMED_OUT)
            return
        prefix = b"retried and the latest reset reason: " if self.tries > 1 else b"reset reason: "
        text = b"upstream connect error or disconnect/reset before headers. " + prefix + reason.encode()
        self._local(status, text)

    def _may_retry(self) -> bool:
        retry = self.forward.retry
        return retry is not None and self.tries <= retry.attempts and self.replayable

    def _back_off(self) -> None:
        retry = self.forward.retry
        assert retry is not None
        if retry.avoid_previous_hosts:
            self.tried = [*(self.tried or ()), host_of(self)]
        self.timer = self.plane.after(retry.backoff(self.tries, random.random()), self._retry)

    def _retry(self) -> None:
        self.timer = None
        self._rewind()
        host = choose(self.pool, self.hashed or self.request, self.tried or ())
        if host is None:
            self._local(503, b"no healthy upstream")
        else:
            self._try(host)

    def _let_go(self, connection: Upstream | None) -> None:
        """This try's connection is not needed any more; it lives on only if its answer was complete."""
        if self.per_try is not None:
            self.per_try.cancel()
            self.per_try = None
        self.connection = None
        if self.host is None:
            return
        if connection is None:
            self.host.abandon(self)
            return
        if not self.sent_all and self.has_body:
            connection.keep_alive = False
        self.host.release(connection)

    def _timed_out(self) -> None:
        """The route's timeout. It spans all tries and the body of the answer (Envoy's router)."""
        self.timeout = None
        if self.status:
            self._cut()
            return
        host = self.host
        if host is not None and self.connection is not None and host.detector is not None:
            host.detector.failed()
        self._stop()
        self._local(504, TIMED_OUT)

    def _cut(self) -> None:
        """The answer cannot be finished: the client learns it from the connection."""
        self._stop()
        self.ledger.tries[self.tries] += 1
        self.downstream.current = None
        self.downstream.close()

    def refuse(self, reply: Reply) -> None:
        """The rest of the request turned out to be malformed."""
        if self.status:
            self._cut()
            return
        self._stop()
        self.ledger.statuses[reply.status] += 1
        self.refusal, self.close = reply, True
        self._reply(reply)

    def _stop(self) -> None:
        for timer in (self.timer, self.timeout, self.per_try):
            if timer is not None:
                timer.cancel()
        self.timer = self.timeout = self.per_try = None
        self._let_go(self.connection)

    def cancel(self) -> None:
        """The client is gone."""
        self._stop()
        for mirror in self.mirrors:
            mirror.cut_short()
        if self.refusal is None:
            if not self.status:
                self.ledger.statuses[0] += 1
            if self.tries:
                self.ledger.tries[self.tries] += 1


def host_of(exchange: Exchange) -> Host:
    """Where the try in flight goes; there is one."""
    return cast("Host", exchange.host)
