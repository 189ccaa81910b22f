"""A receiver of OTLP over HTTP, as a collector is one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {2: "SERVER", 3: "CLIENT"}


@dataclass
class Span:
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    seconds: float
    failed: bool


@dataclass
class Receiver:
    """What has come: spans, the last point of each metric by name and attributes, and the resources they are of."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    metrics: dict[str, dict[frozenset[tuple[str, Any]], Any]] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[Span]:
        return [span for span in self.spans if span.kind == kind]

    async def traces(self, request: web.Request) -> web.Response:
        message = ExportTraceServiceRequest.FromString(await request.read())
        for each in message.resource_spans:
            self.resources.append(_plain(each.resource.attributes))
            self.spans += [_span(span) for scope in each.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    async def points(self, request: web.Request) -> web.Response:
        message = ExportMetricsServiceRequest.FromString(await request.read())
        for each in message.resource_metrics:
            self.resources.append(_plain(each.resource.attributes))
            for metric in (metric for scope in each.scope_metrics for metric in scope.metrics):
                found = self.metrics.setdefault(metric.name, {})
                for point in (*metric.sum.data_points, *metric.histogram.data_points):
                    found[frozenset(_plain(point.attributes).items())] = point
        return web.Response(content_type="application/x-protobuf")


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """One on a free port of loopback."""
    found = Receiver()
    app = web.Application()
    app.router.add_post("/v1/traces", found.traces)
    app.router.add_post("/v1/metrics", found.points)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()


def _span(span: Any) -> Span:
    return Span(
        span.name,
        KINDS[span.kind],
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        _plain(span.attributes),
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        span.status.code == 2,
    )


def _plain(attributes: Iterable[Any]) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
