"""One request from its decision to the last byte of its answer: the short way.

Everything happens in callbacks; there is no task per request. What nearly all requests take reads top to bottom:

    begin -> act -> _forward -> _try -> upstream_connected -> upstream_whole

An abort leaves it at `act`. What is rarer is in the layers below: local answers (replies.py), tries that fail
(tries.py), bodies in pieces (bodies.py). A Decision is executed and never questioned."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from chaos.gateway.exchange.attempts import host_of
from chaos.gateway.exchange.bodies import Bodies
from chaos.gateway.exchange.plain_heads import plain_answer
from chaos.gateway.exchange.tunnel import open_tunnel
from chaos.gateway.exchange.wire import (
    CRLF,
    END_OF_HEAD,
    FIELD,
    FIRST_ATTEMPT,
    SERVICE_TIMES,
    STATUS_LINES,
    WITHOUT_LENGTH,
    service_time,
)
from chaos.gateway.upstream.balancer import choose, cookie_of
from chaos.gateway.upstream.connection import Upstream
from chaos.mesh.decision import PENDING_TIME, Abort, Cluster, Failure, Forward, HashKey, Headers

if TYPE_CHECKING:
    from chaos.gateway.upstream.pool import Host


class Exchange(Bodies):
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
        if (
            self.plain
            and ledger.reply is reply
            and ledger.reply_date is plane.date
            and not self.waited
            and self.request.method != b"HEAD"
        ):
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

    def _closing_line(self) -> bytes:
        """For a request that is not all here, too: its rest would be read as the next one."""
        self.close = self.close or not self.complete or self.websocket or self._last()
        return b"connection: close\r\n" if self.close else b""

    def _milliseconds(self) -> int:
        """That upstream took."""
        return int((self.plane.now() - self.sent_at) * 1000)

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
