"""Tries: how they fail, when another one follows, how long they may take, and how they are given up."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, cast

from chaos.gateway.exchange.local_replies import Replies
from chaos.gateway.upstream.balancer import choose
from chaos.gateway.upstream.connection import Upstream
from chaos.mesh.decision import Failure, Headers, Reply

if TYPE_CHECKING:
    from chaos.gateway.upstream.pool import Host

TIMED_OUT = b"upstream request timeout"


class Tries(Replies):
    def _try(self, host: Host) -> None:
        """Another layer's: exchange.py."""
        raise NotImplementedError

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
        self._end_per_try()
        detector = host_of(self).detector
        if detector is not None:
            detector.answered(status)

    def _end_per_try(self) -> None:
        if self.per_try is not None:
            self.per_try.cancel()
            self.per_try = None

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
        connection. Its timer ends here; left running it would end the request a second time."""
        self._end_per_try()
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
        if retry is None or self.tries > retry.attempts or not self.replayable:
            return False
        return self.retrying or self.pool.retrying < self.pool.max_retries

    def _back_off(self) -> None:
        retry = self.forward.retry
        assert retry is not None
        if not self.retrying:
            self.retrying = True
            self.pool.retrying += 1
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
        self._end_per_try()
        self.connection = None
        if self.host is None:
            return
        if connection is None:
            self.host.abandon(self)
            return
        if not self.sent_all and self.has_body:
            connection.keep_alive = False
        self.host.release(connection)

    # ------------------------------------------------------------------------------------------ time

    def _request_complete(self) -> None:
        """Timeouts begin when the whole request has been received (Envoy's router)."""
        forward = self.forward
        if forward.timeout is not None and self.timeout is None:
            self.timeout = self.plane.after(forward.timeout, self._timed_out)
        retry = forward.retry
        waits = self.connection is not None and not self.status and self.per_try is None
        if waits and retry is not None and retry.per_try_timeout is not None:
            self.per_try = self.plane.after(retry.per_try_timeout, self._try_timed_out)

    def _try_timed_out(self) -> None:
        self.per_try = None
        self._try_failed(Failure.PER_TRY_TIMEOUT, Failure.PER_TRY_TIMEOUT.value)

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

    # ------------------------------------------------------------------------------------------ the end of it

    def _cut(self) -> None:
        """The answer cannot be finished: the client learns it from the connection."""
        self._stop()
        self._end_tries()
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
            self._end_tries()


def host_of(exchange: Tries) -> Host:
    """Where the try in flight goes; there is one."""
    return cast("Host", exchange.host)
