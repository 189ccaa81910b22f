"""The spans and metrics of one gateway worker, for OpenTelemetry. Imported only with `--otel`."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from threading import Thread
from typing import Any

from opentelemetry.semconv.attributes.client_attributes import CLIENT_ADDRESS
from opentelemetry.semconv.attributes.http_attributes import HTTP_REQUEST_HEADER_TEMPLATE, HTTP_REQUEST_RESEND_COUNT
from opentelemetry.semconv.attributes.network_attributes import (
    NETWORK_PEER_ADDRESS,
    NETWORK_PEER_PORT,
    NETWORK_PROTOCOL_VERSION,
)
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT
from opentelemetry.semconv.attributes.url_attributes import URL_FULL, URL_PATH, URL_QUERY, URL_SCHEME
from opentelemetry.semconv.attributes.user_agent_attributes import USER_AGENT_ORIGINAL
from opentelemetry.trace import Span, set_span_in_context

from chaos.gateway.exchange.attempt import Attempt
from chaos.gateway.exchange.traced import Traced
from chaos.gateway.state.worker_state import WorkerState
from chaos.gateway.upstream.pool import Host
from chaos.otel.exporting import wanted
from chaos.otel.metrics import DESTINATION, FAULT, PHASE, POLICY, RULE, MetricsExport
from chaos.otel.needed import GATEWAY_END
from chaos.otel.requests import NANO, Requests, finish, traceparent_of, without_signatures

SERVICE = "chaos-gateway"
DELAY, ATTEMPTS, FLAGS = "chaos.delay", "chaos.attempts", "chaos.flags"

Values = dict[str, str | int | float | bool]


class RequestTracer:
    """Makes the spans of a worker's exchanges, and exports its counters; an Observer."""

    def __init__(self, worker: WorkerState):
        self._worker = worker
        self._requests = Requests(SERVICE)
        loop = asyncio.get_running_loop()

        def counters() -> Any:
            return asyncio.run_coroutine_threadsafe(_now(worker), loop).result(GATEWAY_END)

        self._metrics = MetricsExport(self._requests.resource, counters) if wanted("METRICS") else None

    async def close(self) -> None:
        """Export what is left; wait for it, but not for ever."""
        last, metrics = self._worker.counters(), self._metrics
        closing = [_in_thread(self._requests.close)]
        if metrics is not None:
            closing.append(_in_thread(lambda: metrics.close(last, GATEWAY_END)))
        await asyncio.wait([asyncio.wrap_future(each) for each in closing], timeout=GATEWAY_END)

    # ------------------------------------------------------------------------------------------ requests

    def began(self, exchange: Traced) -> Span:
        """Return the span of a request that has arrived."""
        request = exchange.request
        path, _, query = request.target.decode("latin-1").partition("?")
        attributes: Values = {URL_SCHEME: "http", URL_PATH: path}
        if query:
            attributes[URL_QUERY] = without_signatures(query)
        return self._requests.server(
            request.method.decode("latin-1"), request.index(), attributes, int(exchange.started * NANO)
        )

    def named(self, span: Span) -> bytes:
        """Return the traceparent of a span."""
        return traceparent_of(span)

    def ended(self, exchange: Traced) -> None:
        """End the span of a request that is over."""
        span = exchange.span
        if span is None:
            return
        end = int((exchange.started + time.monotonic() - exchange.began) * NANO)
        attributes = _of_request(exchange) if span.is_recording() else {}
        error = exchange.flag if not exchange.status or exchange.status >= 500 else ""
        finish(span, attributes, status=exchange.status, error=error, server=True, end=end)

    # ------------------------------------------------------------------------------------------ attempts

    def attempt_began(self, exchange: Traced, host: Host, number: int) -> Span:
        """Return the span of an attempt."""
        request, forward = exchange.request, exchange.forward
        attributes: Values = {SERVER_ADDRESS: host.endpoint.address, SERVER_PORT: host.endpoint.port}
        if forward is not None:
            path, mark, query = forward.target.decode("latin-1").partition("?")
            authority = forward.authority.decode("latin-1")
            attributes[URL_FULL] = f"http://{authority}{path}{mark}{without_signatures(query)}"
            if forward.cluster is not None:
                attributes[DESTINATION] = forward.cluster.name
        if number > 1:
            attributes[HTTP_REQUEST_RESEND_COUNT] = number - 1
        parent = set_span_in_context(exchange.span)
        return self._requests.attempt(parent, request.method.decode("latin-1"), attributes, time.time_ns())

    def attempt_ended(self, exchange: Traced, attempt: Attempt, span: Span) -> None:
        """End the span of an attempt."""
        status = exchange.attempt_status
        error = "" if status else exchange.reason.replace(" ", "_") or exchange.flag or "unfinished"
        finish(span, {}, status=status, error=error, server=False, end=time.time_ns())


async def _now(worker: WorkerState) -> Any:
    return worker.counters()


def _of_request(exchange: Traced) -> Values:
    """Return what is known of a request when it is over."""
    request, decision = exchange.request, exchange.decided
    own, peer = (exchange.peer.transport.get_extra_info(name) for name in ("sockname", "peername"))
    host, _, port = request.authority.decode("latin-1").partition(":")
    found: Values = {
        NETWORK_PROTOCOL_VERSION: "1.1",
        SERVER_ADDRESS: host,
        SERVER_PORT: int(port) if port.isdecimal() else own[1] if own else 0,
        f"{HTTP_REQUEST_HEADER_TEMPLATE}.x-request-id": request.id.decode("latin-1"),
        ATTEMPTS: exchange.attempts,
    }
    if peer:
        found |= {CLIENT_ADDRESS: peer[0], NETWORK_PEER_ADDRESS: peer[0], NETWORK_PEER_PORT: peer[1]}
    agent = request.index().get(b"user-agent")
    if agent:
        found[USER_AGENT_ORIGINAL] = agent.decode("latin-1")
    if decision is not None:
        found |= _of_decision(exchange)
    said = {PHASE: exchange.phase, FLAGS: exchange.all_flags, POLICY: exchange.policies}
    return found | {name: value for name, value in said.items() if value}


def _of_decision(exchange: Traced) -> Values:
    decision = exchange.decided
    assert decision is not None
    found: Values = {}
    if decision.rule is not None:
        found[RULE] = decision.rule.name
    if decision.fault:
        found[FAULT] = decision.fault
    if decision.delay:
        found[DELAY] = decision.delay
    return found


def _in_thread(function: Any) -> Future[None]:
    """Call a function in a thread that nobody has to wait for."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            function()
        finally:
            done.set_result(None)

    Thread(target=run, daemon=True, name="otel-end").start()
    return done
