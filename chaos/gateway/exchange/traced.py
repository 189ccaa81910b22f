"""An exchange that is traced: its span is begun with it, and an attempt's with the attempt, so that what is sent
upstream can name them (traceparent).

The spans are the worker's tracer's (chaos/gateway/telemetry/tracing.py); nothing here knows OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaos.gateway.exchange.attempt import Attempt
from chaos.gateway.exchange.observed import Observed, ObservedPoliced
from chaos.gateway.upstream.connection import Upstream
from chaos.gateway.upstream.pool import Host
from chaos.mesh.decision import Forward

TRACEPARENT = b"traceparent"


class Traced(Observed):
    """An exchange with a `span`, and one for the attempt in flight. `attempt_status` is that of its response."""

    span: Any = None
    attempt_span: Any = None
    attempt_status = 0
    _named = b""  # the traceparent that its upstream head has

    def begin(self) -> None:
        self.span = self._worker.tracer.began(self)
        super().begin()

    def _forward(self, forward: Forward) -> None:
        request, own = self.request, self._worker.tracer.named(self.span)
        request.headers = [each for each in request.headers if each[0] != TRACEPARENT]
        request.headers.append((TRACEPARENT, own))
        request.fields = dict(request.headers)
        self._named = own
        super()._forward(forward)

    def _attempt(self, host: Host) -> None:
        tracer = self._worker.tracer
        self.attempt_status, self.reason = 0, ""
        self.attempt_span = tracer.attempt_began(self, host, self._attempts + 1)
        named = tracer.named(self.attempt_span)
        self._head = self._head.replace(self._named, named, 1)
        self._named = named
        super()._attempt(host)

    def attempt_answered(self, attempt: Attempt, data: bytes) -> bool:
        status = data[9:12]  # of HTTP/1.1 200 OK; what is not so is parsed, and comes by attempt_received
        self.attempt_status = int(status) if status.isdigit() else 0
        return super().attempt_answered(attempt, data)

    def attempt_received(self, attempt: Attempt, connection: Upstream) -> None:
        self.attempt_status = connection.status
        super().attempt_received(attempt, connection)

    def _end_attempt(self, attempt: Attempt, hand_over: Callable[[Upstream], None] | None = None) -> None:
        super()._end_attempt(attempt, hand_over)
        span, self.attempt_span = self.attempt_span, None
        if span is not None:
            self._worker.tracer.attempt_ended(self, attempt, span)


class TracedPoliced(Traced, ObservedPoliced):
    """The same in a gateway with policies."""
