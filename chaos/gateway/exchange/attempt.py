"""One attempt to get a response: an endpoint, a connection to it, and the time it may take.

Each attempt is an object of its own, and `end` is the only way out of it: it cancels the timer, hands the connection
over and lifts back-pressure; later callbacks have no effect. So nothing of an attempt can act on the next one, or on
another request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from chaos.gateway.state.counters import Ledger
from chaos.gateway.upstream.connection import Upstream
from chaos.gateway.upstream.pool import Host
from chaos.mesh.decision import Failure, Headers, RetryPolicy


class AttemptOwner(Protocol):
    """Whoever needs the response: an exchange."""

    def attempt_connected(self, attempt: Attempt, connection: Upstream) -> None:
        """Send the request."""

    def attempt_answered(self, attempt: Attempt, data: bytes) -> bool:
        """Take a whole response. See Owner.upstream_whole."""

    def attempt_received(self, attempt: Attempt, connection: Upstream) -> None:
        """Look at the connection: more of the response has arrived."""

    def attempt_failed(self, attempt: Attempt, failure: Failure, reason: str) -> None:
        """Learn that there will be no response."""

    def attempt_lost(self, attempt: Attempt, connection: Upstream) -> None:
        """Learn that the connection has closed, perhaps in the middle of the response."""

    def attempt_full(self, full: bool) -> None:
        """Pause sending (True) or go on (False): upstream does not take more of the request, or takes it again."""


class Attempt:
    """One attempt. Times out only if the retry policy has a per-try timeout."""

    __slots__ = ("_full", "_ledger", "_owner", "_paused", "_policy", "_timer", "connection", "host", "sent_at")

    def __init__(self, owner: AttemptOwner, host: Host, ledger: Ledger, policy: RetryPolicy | None):
        self._owner: AttemptOwner | None = owner  # None once it has ended
        self.host = host
        self._ledger = ledger
        self._policy = policy
        self.connection: Upstream | None = None  # set once at least the request's head has been sent on it
        self.sent_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._full = False
        self._paused = False

    def end(self, hand_over: Callable[[Upstream], None] | None = None) -> None:
        """End the attempt, whatever its outcome.

        The connection goes to `hand_over`, by default back to its endpoint, which keeps it only if it has brought a
        complete response."""
        if self._timer is not None:
            self._timer.cancel()
        if self._full or self._paused:
            self._lift_pressure()
        self._owner = None
        connection = self.connection
        if connection is None:
            self.host.abandon(self)
        elif hand_over is None:
            self.host.release(connection)
        else:
            hand_over(connection)

    # ------------------------------------------------------------------------------------------ its time

    def limit(self, after: Callable[..., asyncio.TimerHandle]) -> None:
        """Start the retry policy's per-try timeout; called once the whole request has been received."""
        policy = self._policy
        if policy is not None and policy.per_try_timeout is not None and self._timer is None:
            self._timer = after(policy.per_try_timeout, self._timed_out)

    def _timed_out(self) -> None:
        self._timer = None
        self.upstream_failed(Failure.PER_TRY_TIMEOUT, Failure.PER_TRY_TIMEOUT.value)

    # ------------------------------------------------------------------------------------------ its outcome

    def answered(self, status: int) -> None:
        """Record that a final response has begun: the timer stops, and the endpoint's outlier detection counts the
        status."""
        self._ledger.upstream_statuses[status] += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        detector = self.host.detector
        if detector is not None:
            detector.answered(status)

    def failed(self) -> None:
        """Record that no response came."""
        if self.host.detector is not None:
            self.host.detector.failed()

    def is_retriable(self, outcome: int | Failure, headers: Headers, sent: bool) -> bool:
        """Return whether the policy retries this outcome, and count it as an upstream failure if so."""
        policy = self._policy
        if policy is None or not policy.retry_on(outcome, headers, sent):
            return False
        self._ledger.upstream_failures += 1
        return True

    # ------------------------------------------------------------------------------------------ back-pressure

    def pause(self) -> None:
        """Stop reading the response: the client does not take it."""
        if self.connection is not None and not self._paused:
            self._paused = True
            self.connection.transport.pause_reading()

    def _lift_pressure(self) -> None:
        if self._full:
            self._tell_full(False)
        if self._paused and self.connection is not None and not self.connection.transport.is_closing():
            self.connection.transport.resume_reading()

    def resume(self) -> None:
        """Read the response again."""
        if self.connection is not None and self._paused:
            self._paused = False
            self.connection.transport.resume_reading()

    # ------------------------------------------------------------------------------------------ connection's owner

    def upstream_connected(self, connection: Upstream) -> None:
        self.connection = connection
        if self._owner is not None:
            self._owner.attempt_connected(self, connection)
        else:
            self.end()

    def upstream_whole(self, connection: Upstream, data: bytes) -> bool:
        owner = self._owner
        return owner is not None and owner.attempt_answered(self, data)

    def upstream_received(self, connection: Upstream) -> None:
        if self._owner is not None:
            self._owner.attempt_received(self, connection)

    def upstream_failed(self, failure: Failure, reason: str) -> None:
        if self._owner is not None:
            self._owner.attempt_failed(self, failure, reason)

    def upstream_lost(self, connection: Upstream) -> None:
        if self._owner is not None:
            self._owner.attempt_lost(self, connection)

    def upstream_full(self) -> None:
        self._tell_full(True)

    def upstream_drained(self) -> None:
        self._tell_full(False)

    def _tell_full(self, full: bool) -> None:
        if self._owner is not None:
            self._full = full
            self._owner.attempt_full(full)
