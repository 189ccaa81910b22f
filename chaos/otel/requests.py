"""Spans of requests: SERVER and CLIENT ones of the gateway, CLIENT ones of the load, with the stable semantic
conventions of HTTP, and the W3C trace context that joins them.

Knows neither the gateway nor the load: they say what happened in plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_REQUEST_METHOD_ORIGINAL,
    HTTP_RESPONSE_STATUS_CODE,
)
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chaos.otel.exporting import SCOPE, Attributes, provider_of, resource_of

TRACEPARENT, TRACESTATE = b"traceparent", b"tracestate"
_METHODS = frozenset(["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY"])
_SECRET = re.compile(r"(?<![^&])(AWSAccessKeyId|Signature|sig|X-Goog-Signature)=[^&]*")
_PROPAGATOR = TraceContextTextMapPropagator()
NANO = 1_000_000_000


def method_of(method: str) -> tuple[str, dict[str, str | int | float | bool]]:
    """Return the name of a span and the attributes of its method."""
    if method in _METHODS:
        return method, {HTTP_REQUEST_METHOD: method}
    return "HTTP", {HTTP_REQUEST_METHOD: "_OTHER", HTTP_REQUEST_METHOD_ORIGINAL: method}


def without_signatures(query: str) -> str:
    """Return a query without the signatures that the conventions want hidden."""
    return _SECRET.sub(r"\1=REDACTED", query) if "=" in query else query


def context_of(fields: Mapping[bytes, bytes]) -> Context | None:
    """Return the trace context that a request came with; None without one."""
    parent = fields.get(TRACEPARENT)
    if parent is None:
        return None
    carrier = {"traceparent": parent.decode("latin-1"), "tracestate": fields.get(TRACESTATE, b"").decode("latin-1")}
    return _PROPAGATOR.extract({name: value for name, value in carrier.items() if value}, Context())


def traceparent_of(span: Span) -> bytes:
    """Return the header's value that makes a span the parent of what is sent."""
    own = span.get_span_context()
    return b"00-%032x-%016x-%02x" % (own.trace_id, own.span_id, int(own.trace_flags) & 0xFF)


def finish(span: Span, attributes: Attributes, *, status: int, error: str, server: bool, end: int) -> None:
    """End a span, at `end` in nanoseconds, as HTTP's conventions say: a server's is an error from 500 on, a client's
    from 400 on; `error` is why there is no response."""
    if span.is_recording():
        span.set_attributes(dict(attributes))
        if status:
            span.set_attribute(HTTP_RESPONSE_STATUS_CODE, status)
        failed = status >= (500 if server else 400)
        if error or failed:
            span.set_attribute(ERROR_TYPE, error or str(status))
            span.set_status(Status(StatusCode.ERROR))
    span.end(end)


class Requests:
    """The gateway's spans."""

    def __init__(self, service: str):
        self.resource = resource_of(service)
        self._provider = provider_of(self.resource)
        self._tracer: Tracer = self._provider.get_tracer(SCOPE)

    def server(self, method: str, fields: Mapping[bytes, bytes], attributes: Attributes, start: int) -> Span:
        """Return the span of a request that has arrived."""
        name, own = method_of(method)
        return self._tracer.start_span(
            name, context_of(fields) or Context(), SpanKind.SERVER, {**own, **attributes}, start_time=start
        )

    def attempt(self, parent: Context, method: str, attributes: Attributes, start: int) -> Span:
        """Return the span of an attempt to send a request upstream."""
        name, own = method_of(method)
        return self._tracer.start_span(name, parent, SpanKind.CLIENT, {**own, **attributes}, start_time=start)

    def close(self) -> None:
        """Export what is left. May wait for the endpoint."""
        self._provider.shutdown()


class _Given(IdGenerator):
    """The ids that the next span is to have."""

    trace, span = 1, 1

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


class Calls:
    """The load's spans. A request's ids follow from its x-request-id and a salt of this process, so that nothing has to
    be kept while it is in flight; a span is made when it is over."""

    def __init__(self, service: str, salt: bytes):
        self._ids = _Given()
        self._provider = provider_of(resource_of(service), ids=self._ids, batch=64)
        self._tracer = self._provider.get_tracer(SCOPE)
        self._salt = salt

    def _identify(self, request: str) -> tuple[int, int]:
        digest = blake2b(request.encode(), digest_size=24, key=self._salt).digest()
        return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:]) or 1

    def traceparent(self, request: str) -> str:
        """Return the header's value for a request by its id."""
        trace, span = self._identify(request)
        return f"00-{trace:032x}-{span:016x}-{int(self._is_sampled(trace)):02x}"

    def _is_sampled(self, trace: int) -> bool:
        """Return what the sampler says of a trace that begins here."""
        links: tuple[Link, ...] = ()
        asked = self._provider.sampler.should_sample(None, trace, "HTTP", SpanKind.CLIENT, None, links)
        return asked.decision is Decision.RECORD_AND_SAMPLE

    def ended(
        self, request: str, method: str, attributes: Attributes, *, status: int, error: str, start: int, end: int
    ) -> None:
        """Make the span of a request that is over, if it is sampled."""
        self._ids.trace, self._ids.span = self._identify(request)
        if not self._is_sampled(self._ids.trace):
            return
        name, own = method_of(method)
        span = self._tracer.start_span(name, Context(), SpanKind.CLIENT, {**own, **attributes}, start_time=start)
        finish(span, {}, status=status, error=error, server=False, end=end)

    def close(self) -> None:
        """Export what is left. May wait for the endpoint."""
        self._provider.shutdown()
