"""One request from its decision to the end of its response: what happens next, and when it is over.

Everything happens in callbacks; there is no task per request. The way of nearly all requests reads top to bottom:

    begin -> act -> _forward -> _attempt -> attempt_connected -> attempt_answered

An abort leaves it at `act`. A Decision is executed and never questioned.

An exchange owns what it needs: the attempt in flight (attempt.py), the request's body if it has one (request_body.py),
the response while it passes in pieces (answer.py), its place among the retries (retries.py), two timers. None of them
outlives it: `_end` is the only way to DONE (states.py) and ends all of them, and there is no way out of DONE, so that a
request is answered once."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from collections.abc import Callable

from chaos.gateway.exchange import states
from chaos.gateway.exchange.affinity import NewCookies, new_cookies
from chaos.gateway.exchange.answer import Answer, interim_heads, shared_head
from chaos.gateway.exchange.attempt import Attempt
from chaos.gateway.exchange.client import Client
from chaos.gateway.exchange.framing import answer_line, content_length, unframed
from chaos.gateway.exchange.local_reply import (
    CLOSE,
    NO_CLUSTER,
    NO_ENDPOINT,
    NO_HEALTHY_UPSTREAM,
    PROTOCOL_ERROR,
    TIMED_OUT,
    TIMEOUT,
    reply_bytes,
    unreachable,
)
from chaos.gateway.exchange.mirror import Mirrors
from chaos.gateway.exchange.plain_heads import plain_answer
from chaos.gateway.exchange.request_body import RequestBody
from chaos.gateway.exchange.retries import Retries, refused
from chaos.gateway.exchange.states import State
from chaos.gateway.exchange.tags import own_tags, reply_tags
from chaos.gateway.exchange.tunnel import open_tunnel, switching_head
from chaos.gateway.exchange.upstream_head import FIRST_ATTEMPT, last_line, upstream_head, with_time_left
from chaos.gateway.exchange.wire import CRLF, END_OF_HEAD, SERVICE_TIMES, service_time
from chaos.gateway.state.counters import Ledger
from chaos.gateway.upstream.balancer import choose, hash_value
from chaos.gateway.upstream.connection import Upstream
from chaos.gateway.upstream.pool import Host, Pool
from chaos.mesh.decision import (
    DELAY_INJECTED,
    Decision,
    Draws,
    Failure,
    Forward,
    Headers,
    Reply,
    Request,
)
from chaos.mesh.headers.grpc import is_grpc
from chaos.protocol.counters import BOUNDS, WITHIN


class Exchange:
    """A request and its response. Its attributes are set in steps, because an aborted request needs few of them."""

    __slots__ = (
        "_answer", "_attempts", "_cookies", "_forward_to", "_forwarded", "_head", "_ledger", "_mirrors",
        "_pool", "_retries", "_timeout", "_timer", "_websocket", "_worker", "attempt", "body", "client",
        "close", "decision", "draw_id", "framed", "refusal", "request", "state",
    )  # fmt: skip

    # Set by `begin`
    decision: Decision
    _ledger: Ledger
    # Set by `_forward`
    _forward_to: Forward
    _pool: Pool
    _head: bytes  # of the upstream request, without its last line (upstream_head.last_line)
    _attempts: int  # so far
    _timeout: asyncio.TimerHandle | None  # the route's
    _cookies: NewCookies | None
    _mirrors: Mirrors | None
    _retries: Retries | None
    _answer: Answer | None

    def __init__(
        self,
        client: Client,
        method: bytes,
        target: bytes,
        authority: bytes | None,
        headers: Headers,
        fields: dict[bytes, bytes],
    ):
        self.client = client
        worker = self._worker = client.worker
        request = Request(method, target, authority or b"", headers, b"http", client.remote, b"", fields)
        self.request = request
        given = fields.get(b"x-request-id")
        request.id = given if given and not worker.replaces_ids else worker.new_id()
        self.draw_id = given or request.id  # the draws follow from the client's id, also where a gateway replaces it
        self.state = states.WAITING
        self.body: RequestBody | None = None  # None when the request has no body
        self.framed = False  # its head has content-length or transfer-encoding
        self.refusal: Reply | None = None  # the request is answered with this, before any routing
        self.close = False  # the connection, after the response
        self._websocket = False  # the request asks for one
        self._timer: asyncio.TimerHandle | None = None  # the delay, or the back-off
        self._forwarded = False  # the rule's action is to forward it; only then what `_forward` sets exists
        self.attempt: Attempt | None = None  # in flight

    # ------------------------------------------------------------------------------------------ the request arrives

    def expect_body(self, length: int | None) -> None:
        """Expect a body of `length` bytes, or in chunks if None."""
        self.body = RequestBody(length)

    def received(self, data: bytes) -> None:
        """Take a piece of the body. The parser is at work: `progressed` acts on it."""
        if self.body is not None:
            self.body.receive(data)

    def finished(self) -> None:
        """Note that the whole request has been received."""
        if self.body is not None:
            self.body.complete = True

    def turn_away(self, reply: Reply) -> None:
        """Answer with this reply when the request's turn comes, and close. The first reason counts."""
        self.refusal = self.refusal or reply
        self.close = True

    def ask_for_websocket(self) -> None:
        """Ask upstream for a WebSocket. If it does not agree, the connection closes: what follows in the client's
        stream is not HTTP."""
        self._websocket = True
        self.close = True

    @property
    def complete(self) -> bool:
        """Whether the whole request has been received."""
        return self.body is None or self.body.complete

    # ------------------------------------------------------------------------------------------ the short way

    def begin(self) -> None:
        """Decide and act: it is the request's turn."""
        if self.refusal is not None:
            self._reply(self.refusal)
            return
        self._decide(self._worker.draws(self.draw_id))

    def _decide(self, draws: Draws) -> None:
        worker = self._worker
        decision = self.decision = worker.decide(self.request, draws)
        ledger = self._ledger = worker.phase.ledger(decision.rule)
        ledger.count(decision)
        if decision.fault:
            worker.faulted.record(worker.phase.name, self.draw_id, self.request, ledger.key, decision.fault)
        if decision.delay:
            self.request.flags = DELAY_INJECTED
            self._enter(states.DELAYED)
            self._timer = worker.after(decision.delay, self.act)
        else:
            self.act()

    def act(self) -> None:
        """Carry out the decision's action, after its delay if it has one."""
        action = self.decision.action
        if isinstance(action, Forward):
            self._forward(action)
            return
        reply, ledger = action.reply, self._ledger
        if (
            ledger.reply is reply
            and ledger.reply_date is self._worker.date
            and self.body is None
            and not (self.close or self.decision.delay or self._worker.draining)
            and self.request.method != b"HEAD"
        ):
            # A rule's aborts are the same bytes for a second, until the date changes.
            ledger.statuses[reply.status] += 1
            self._end()
            self.client.transport.write(ledger.reply_bytes)
            self.client.exchange_done()
        else:
            self._reply(reply)

    def _forward(self, forward: Forward) -> None:
        self._forwarded = True
        self._forward_to = forward
        self._attempts = 0
        self._timeout = self._cookies = self._mirrors = self._retries = self._answer = None
        request, body, worker, cluster = self.request, self.body, self._worker, forward.cluster
        if cluster is None:
            self._fail(NO_CLUSTER, 503, b"")
            return
        pool = self._pool = worker.pool(cluster)
        if forward.timeout is not None and (body is None or body.complete):
            self._timeout = worker.after(forward.timeout, self._timed_out)
        if forward.hash_keys:
            self._cookies = new_cookies(request, forward.hash_keys, self.client.transport)
            host = choose(pool, (), hash_value(forward.hash_keys, self._hashed))
        else:
            host = choose(pool)
        if host is None:
            self._fail(NO_ENDPOINT, 503, NO_HEALTHY_UPSTREAM)
            return
        head = self._head = upstream_head(request, forward, body, framed=self.framed, websocket=self._websocket)
        if forward.mirrors:
            self._mirrors = Mirrors(worker, request, forward, head, body, self.client.local)
        self._attempt(host)

    @property
    def _hashed(self) -> Request:
        """The request as consistent hashing sees it."""
        return self.request if self._cookies is None else self._cookies.request

    def _attempt(self, host: Host) -> None:
        self._attempts += 1
        attempt = self.attempt = Attempt(self, host, self._ledger, self._forward_to.retry)
        connection = host.acquire(attempt)
        if connection is not None:
            attempt.connection = connection
            self.attempt_connected(attempt, connection)
        elif self.attempt is attempt:  # else it has failed already
            self._enter(states.CONNECTING)

    def attempt_connected(self, attempt: Attempt, connection: Upstream) -> None:
        """Send the request's head, and the part of its body that is here, on the attempt's connection."""
        self._enter(states.SENT)
        self._ledger.upstream_requests += 1
        body, policy = self.body, self._forward_to.retry
        data = self._head + (FIRST_ATTEMPT if self._attempts == 1 else last_line(self._attempts))
        if body is not None:
            data += self._take_body(body)
        connection.send(attempt, data, self.request.method == b"HEAD", self._websocket)
        attempt.sent_at = self._worker.now()
        if policy is not None and policy.per_try_timeout is not None and (body is None or body.complete):
            attempt.limit(self._worker.after)

    def attempt_answered(self, attempt: Attempt, data: bytes) -> bool:
        """Forward a response that came complete in its first read, in one write. Returns False if it needs the parser.

        Many responses begin with the same bytes (their date changes once a second); what was made of a head is
        remembered where it depends on nothing but rule and destination."""
        head, _, body = data.partition(END_OF_HEAD)
        ledger, forward = self._ledger, self._forward_to
        known = ledger.answers.get(forward.headwork)
        made = known.get(head) if known is not None else None
        if made is None or made[2] != len(body):
            answer = plain_answer(head, body)
            if answer is None:
                return False
            status, headers = answer
            attempt.answered(status)
            retriable = attempt.is_retriable(status, headers, True)
            if retriable and self._may_retry():
                self._back_off(attempt, attempt.host.give_back)
                return True
            seconds = self._worker.now() - attempt.sent_at
            shared = shared_head(self.request, forward, ledger, status, headers, content_length(len(body)), seconds)
            if not retriable and forward.headwork.answers_alike and b"\r\ndate: " in shared:
                ledger.remember(forward.headwork, head, (status, shared, len(body)))
        else:
            status, shared, _ = made
            attempt.answered(status)
        ledger.statuses[status] += 1
        ledger.answered += 1
        lines = self._own_lines(attempt, status, shared)
        self._end(attempt.host.give_back)
        self.client.transport.write(b"".join((shared, lines, CRLF, body)))
        if self.close:
            self._hand_back()
        else:
            self.client.exchange_done()
        return True

    def _own_lines(self, attempt: Attempt, status: int, shared: bytes) -> bytes:
        """Return the header lines of this response alone; decides whether the connection closes after it."""
        ledger, seconds = self._ledger, self._worker.now() - attempt.sent_at
        ledger.upstream_seconds += seconds
        ledger.upstream_times[WITHIN[bisect_left(BOUNDS, seconds)]] += 1
        if (
            self._forward_to.headwork.service_time_by_rule or self._websocket
        ):  # in `shared`; or no request's end to count from
            lines = b""
        else:
            milliseconds = int(seconds * 1000)
            lines = SERVICE_TIMES[milliseconds] if milliseconds < 100 else service_time(milliseconds)
        if self.decision.fault or self._attempts > 1:
            lines += own_tags(self._ledger, self.decision.fault, self._attempts)
        if b"\r\ndate: " not in shared:
            lines += self._worker.date
        body = self.body
        if self.close or self._worker.draining or (body is not None and not body.complete):
            # The rest of a request that is not all here would be read as the next one.
            self.close = self.close or not self.complete or self._last()
            lines += CLOSE if self.close else b""
        return lines if self._cookies is None else lines + self._cookies.lines

    # ------------------------------------------------------------------------------------------ the end

    def _enter(self, state: State) -> None:
        """Change the state. Raises RuntimeError for a transition that states.py does not allow."""
        if state not in self.state.then:
            raise RuntimeError(f"an exchange does not go from {self.state} to {state}")
        self.state = state

    def _end(self, hand_over: Callable[[Upstream], None] | None = None) -> None:
        """End the exchange and all that belongs to it; the connection of its attempt goes to `hand_over` (see
        Attempt.end). Only the last write to the client may follow."""
        if self.state is states.DONE:
            raise RuntimeError("an exchange ends once")
        self.state = states.DONE
        if self._timer is not None:
            self._timer.cancel()
        if self._forwarded:
            if self._timeout is not None:
                self._timeout.cancel()
            if self.attempt is not None:
                self._end_attempt(self.attempt, hand_over)
            if self._attempts:
                self._ledger.tries[self._attempts] += 1
            if self._retries is not None:
                self._retries.end()
        if self.body is not None:
            self._end_body(self.body)

    def _end_attempt(self, attempt: Attempt, hand_over: Callable[[Upstream], None] | None = None) -> None:
        self.attempt = None
        connection = attempt.connection
        if self.body is not None and not self.body.sent and connection is not None:
            connection.keep_alive = False  # it still waits for the rest of a request
            hand_over = None
        attempt.end(hand_over)

    def _end_body(self, body: RequestBody) -> None:
        self.client.hold_body(False)
        if self._forwarded and self._mirrors is not None and not body.complete:
            self._mirrors.cut_short()

    def _hand_back(self) -> None:
        """Give the connection back after the last byte of the response: it turns to its next request, or closes."""
        if self.close:
            self.client.finish(linger=self.refusal is not None or not self.complete)
        elif self._last():  # the gateway drains since the head was sent
            self.client.finish(linger=False)
        else:
            self.client.exchange_done()

    def _cut(self, flag: str = "") -> None:
        """Close the connection, so that the client learns that its response cannot be completed. `flag` says what
        upstream did; it is empty when the client is to blame."""
        if flag:
            self._ledger.answered -= 1
            self._ledger.failures[flag] += 1
        self._end()
        self.client.cut()

    def cancel(self) -> None:
        """End the exchange because the client is gone."""
        if self.refusal is None and self.state is not states.ANSWERING:
            self._ledger.count_left(self.decision)
        if self._forwarded and self._mirrors is not None:
            self._mirrors.cut_short()
        self._end()

    # ------------------------------------------------------------------------------------------ local replies

    def _reply(self, reply: Reply) -> None:
        """Answer with a reply of the gateway's own, now."""
        lines, head_only, remembered = b"", self.request.method == b"HEAD", False
        self.close = self.close or reply.closes
        if self.refusal is None:
            self._ledger.statuses[reply.status] += 1
            self.close = self.close or self._is_early() or self._last()
            forward, attempts = (self._forward_to, self._attempts) if self._forwarded else (None, 0)
            lines = reply_tags(self._ledger, forward, self.decision.fault, attempts)
            remembered = not (self.close or self.decision.delay or self._forwarded or head_only)
        self.close = self.close or not self.complete
        if self.close:
            lines += CLOSE
        date = self._worker.date
        data = reply_bytes(reply, head_only, lines, date)
        if remembered:
            self._ledger.remember_reply(reply, date, data)
        self._end()
        self.client.write(data)
        self._hand_back()

    def _fail(self, flag: str, status: int, body: bytes, details: bytes = b"") -> None:
        """Answer as Envoy's router does when upstream does not, with the rule's response header operations."""
        self._ledger.failures[flag] += 1
        self._reply(self._forward_to.headwork.local_reply(self.request, status, body, details))

    def _is_early(self) -> bool:
        """Return whether a reply precedes the request's body.

        Envoy looks at this when the head has arrived: a body in the same read counts as still to come."""
        if self.body is None or (self._forwarded and self._attempts):
            return False
        return not (self.decision.delay and self.body.complete)

    def _last(self) -> bool:
        """Return whether the gateway is draining and no request is waiting on this connection."""
        return self._worker.draining and not self.client.waiting

    def refuse(self, reply: Reply) -> None:
        """Answer a request whose rest turned out to be malformed; cut the connection if a response has begun."""
        if self.state is states.ANSWERING:
            self._cut()
            return
        self._ledger.statuses[reply.status] += 1
        self.refusal, self.close = reply, True
        self._reply(reply)

    # ------------------------------------------------------------------------------------------ attempts that fail

    def attempt_lost(self, attempt: Attempt, connection: Upstream) -> None:
        """Handle a connection that closed: cut a response that has begun, send again what was not taken, fail the
        attempt otherwise."""
        if self.state is states.ANSWERING:
            self._cut(Failure.RESET.flag)
        elif connection.undelivered and (self.body is None or self.body.replayable):
            self._send_again(attempt)
        elif connection.in_head:
            self.attempt_failed(attempt, Failure.RESET, "protocol error", status=502)
        else:
            self.attempt_failed(attempt, Failure.RESET, Failure.RESET.value)

    def _send_again(self, attempt: Attempt) -> None:
        """Send the request on another connection: an idle one turned out to be dead, and not a byte of the request was
        taken.

        This does not count as another attempt."""
        self._end_attempt(attempt)
        self._attempts -= 1
        self._ledger.upstream_requests -= 1
        self._rewind()
        self._attempt(attempt.host)

    def _rewind(self) -> None:
        if self.body is not None:
            self.body.rewind()

    def attempt_failed(self, attempt: Attempt, failure: Failure, reason: str, status: int = 503) -> None:
        """Retry if the policy and the limits allow it, otherwise answer as Envoy's router would."""
        if failure is not Failure.OVERFLOW:
            attempt.failed()
            if attempt.is_retriable(failure, [], self.state is states.SENT) and self._may_retry():
                self._back_off(attempt)
                return
        if failure is Failure.PER_TRY_TIMEOUT:
            self._fail(failure.flag, 504, TIMED_OUT, b"upstream_per_try_timeout")
        else:
            flag = failure.flag if status == 503 else PROTOCOL_ERROR
            self._fail(flag, status, unreachable(reason, self._attempts))

    def _may_retry(self) -> bool:
        """Return whether another attempt may follow one whose outcome is retriable. If not, the reason is noted."""
        flag = refused(self._forward_to.retry, self._attempts, self.body, self._retries, self._pool)
        if flag is not None:
            self.request.flags += flag
        return flag is None

    def _back_off(self, attempt: Attempt, hand_over: Callable[[Upstream], None] | None = None) -> None:
        policy = self._forward_to.retry
        assert policy is not None
        self._end_attempt(attempt, hand_over)
        self._enter(states.BACKING_OFF)
        self._retries = self._retries or Retries(self._pool)
        if policy.avoid_previous_hosts:
            self._retries.avoided.append(attempt.host)
        self._timer = self._worker.after(policy.backoff(self._attempts, random.random()), self._retry)

    def _retry(self) -> None:
        self._rewind()
        if self._timeout is not None:
            left = self._timeout.when() - self._worker.now()
            self._head = with_time_left(self._head, left, grpc=is_grpc(self.request))
        keys, avoided = self._forward_to.hash_keys, self._retries.avoided if self._retries is not None else ()
        host = choose(self._pool, avoided, hash_value(keys, self._hashed) if keys else None)
        if host is None:
            self._fail(NO_ENDPOINT, 503, NO_HEALTHY_UPSTREAM)
        else:
            self._attempt(host)

    # ------------------------------------------------------------------------------------------ time

    def _timed_out(self) -> None:
        """End the request at the route's timeout, which spans all attempts and the response's body (Envoy's router)."""
        if self.state is states.ANSWERING:
            self._cut(TIMEOUT)
            return
        if self.state is states.SENT and self.attempt is not None:
            self.attempt.failed()
        self._fail(TIMEOUT, 504, TIMED_OUT)

    # ------------------------------------------------------------------------------------------ bodies in pieces

    def progressed(self) -> None:
        """Pass on the part of the request that has arrived, and note its end."""
        body = self.body
        if body is None:
            return
        if self._forwarded and self._mirrors is not None:
            self._mirrors.send(body)
        self._send_body(body)
        if self._forwarded and body.complete:
            self._request_complete()

    def _send_body(self, body: RequestBody) -> None:
        connection = self.attempt.connection if self.attempt is not None else None
        if connection is not None and not body.sent:
            connection.write(self._take_body(body))
        elif body.over_limit:
            self.client.hold_body(True)

    def _request_complete(self) -> None:
        """Start the timeouts, which begin when the whole request has been received (Envoy's router)."""
        seconds = self._forward_to.timeout
        if seconds is not None and self._timeout is None:
            self._timeout = self._worker.after(seconds, self._timed_out)
        if self.state is states.SENT and self.attempt is not None:
            self.attempt.limit(self._worker.after)

    def _take_body(self, body: RequestBody) -> bytes:
        data = body.take()
        self.client.hold_body(False)
        return data

    def attempt_received(self, attempt: Attempt, connection: Upstream) -> None:
        """Handle a response that the parser has read: one that came in parts, or failed, or is an interim one or a
        101."""
        if self._answer is not None:
            self._pass_on(self._answer, connection)
            return
        if connection.interim:
            self.client.write(interim_heads(connection))
        status = connection.status
        if connection.malformed and not status:
            self.attempt_failed(attempt, Failure.RESET, "protocol error", status=502)
        elif status:
            attempt.answered(status)
            if attempt.is_retriable(status, connection.headers, True) and self._may_retry():
                self._back_off(attempt)
            else:
                self._begin_answer(attempt, connection, status)

    def _begin_answer(self, attempt: Attempt, connection: Upstream, status: int) -> None:
        forward, ledger, request = self._forward_to, self._ledger, self.request
        ledger.statuses[status] += 1
        ledger.answered += 1
        if status == 101:
            self._become_tunnel(attempt, connection, forward)
            return
        self._enter(states.ANSWERING)
        framing = answer_line(status, connection.length)
        seconds = self._worker.now() - attempt.sent_at
        shared = shared_head(request, forward, ledger, status, connection.headers, framing, seconds)
        lines = self._own_lines(attempt, status, shared)
        answer = self._answer = Answer(framing, head_only=connection.head_only)
        self.client.write(shared + lines + CRLF)
        self._pass_on(answer, connection)
        if self.client.full and self.attempt is attempt:
            attempt.pause()

    def _pass_on(self, answer: Answer, connection: Upstream) -> None:
        """Pass on more of a response whose head has been sent."""
        if connection.malformed:
            self._cut(PROTOCOL_ERROR)
            return
        for piece in answer.take(connection):
            self.client.write(piece)
        if connection.ended and self.state is states.ANSWERING:  # a policy may have ended it meanwhile
            self._end()
            self._hand_back()

    def _become_tunnel(self, attempt: Attempt, connection: Upstream, forward: Forward) -> None:
        """Pass a 101 on and join the two connections. All timeouts end here, as in Envoy."""
        headers = unframed(forward.headwork.downstream_headers(self.request, 101, connection.headers))
        tags = reply_tags(self._ledger, forward, self.decision.fault, self._attempts) + self.policy_tag
        head = switching_head(headers, tags)
        self._end(attempt.host.detach)
        open_tunnel(self.client, connection, head)

    @property
    def policy_tag(self) -> bytes:
        """The header line that names the policies whose faults the request has met."""
        return b""

    # ------------------------------------------------------------------------------------------ back-pressure

    def attempt_full(self, full: bool) -> None:
        self.client.hold_upstream(full)

    def client_full(self) -> None:
        if self.attempt is not None and self.state is states.ANSWERING:
            self.attempt.pause()

    def client_drained(self) -> None:
        if self.attempt is not None:
            self.attempt.resume()
