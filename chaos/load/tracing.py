"""The spans of a load's requests, for OpenTelemetry. Imported only with `--otel`.

A span has no URL, but the host and the task's name: what the environment has put into URLs is in nothing that a run
leaves."""

from __future__ import annotations

import os
import time
from time import perf_counter
from urllib.parse import urlsplit

import gevent
from opentelemetry.semconv.attributes.http_attributes import HTTP_REQUEST_HEADER_TEMPLATE
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT

from chaos.otel.metrics import DESTINATION, FAULT, PHASE, RULE
from chaos.otel.needed import LOAD_END
from chaos.otel.requests import NANO, Calls
from chaos.protocol.digest import Key
from chaos.statuses import GRPC

SERVICE = "chaos-load"
TASK, ATTEMPTS = "chaos.task", "chaos.attempts"


class CallTracer:
    """Makes the spans of one load process."""

    def __init__(self) -> None:
        self._calls = Calls(SERVICE, os.urandom(16))
        self._offset = time.time() - perf_counter()

    def traceparent(self, request: str) -> str:
        """Return the traceparent of a request by its id."""
        return self._calls.traceparent(request)

    def line(self, request: str) -> bytes:
        """Return the end of the id's header line, and that of the traceparent without its own end."""
        return b"\r\ntraceparent: " + self._calls.traceparent(request).encode()

    def ended(self, key: Key, request: str, method: str, url: str, sent: float, answered: float) -> None:
        """Make the span of a request that is over; the times are perf_counter's."""
        parts = urlsplit(url)
        attributes: dict[str, str | int | float | bool] = {
            SERVER_ADDRESS: parts.hostname or "",
            SERVER_PORT: parts.port or (443 if parts.scheme == "https" else 80),
            f"{HTTP_REQUEST_HEADER_TEMPLATE}.x-request-id": request,
            TASK: key.task,
            ATTEMPTS: key.attempts,
        }
        said = {RULE: key.route, PHASE: key.phase, FAULT: key.fault, DESTINATION: key.destination}
        attributes.update({name: value for name, value in said.items() if value})
        self._calls.ended(
            request,
            method,
            attributes,
            status=key.status if key.status < GRPC else 0,
            error=key.error,
            start=int((sent + self._offset) * NANO),
            end=int((answered + self._offset) * NANO),
        )

    def close(self) -> None:
        """Export what is left; wait for it, but not for ever."""
        with gevent.Timeout(LOAD_END, False):
            self._calls.close()
