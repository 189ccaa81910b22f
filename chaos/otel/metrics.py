"""The gateway's counters as OTLP metrics: the same numbers that `GET /metrics` has for Prometheus."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.semconv.attributes.http_attributes import HTTP_RESPONSE_STATUS_CODE

from chaos.otel.exporting import SCOPE, speak_in_lines
from chaos.protocol.counters import BOUNDS, WITHIN, GatewayCounters, RuleCounters

RULE, PHASE, FAULT, DESTINATION, FLAG, POLICY = (
    f"chaos.{name}" for name in ("rule", "phase", "fault", "destination", "flag", "policy")
)

_TALLIES = {
    "chaos.requests": ("statuses", HTTP_RESPONSE_STATUS_CODE, "Requests, by the status of their response"),
    "chaos.faults": ("faults", FAULT, "Requests that met faults"),
    "chaos.forwarded": ("destinations", DESTINATION, "Requests forwarded, by destination"),
    "chaos.failures": ("failures", FLAG, "Forwarded requests without a response, by Envoy's response flag"),
}


class MetricsExport:
    """Exports counters every OTEL_METRIC_EXPORT_INTERVAL milliseconds, from a thread of its own, and at the end.

    `counters` returns the present ones; it is called in that thread and may raise, which skips an export."""

    def __init__(self, resource: Resource, counters: Callable[[], GatewayCounters]):
        speak_in_lines()
        self._resource, self._counters = resource, counters
        self._began = time.time_ns()
        self._exporter = OTLPMetricExporter()
        self._over = threading.Event()
        self._interval = float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL") or 60_000) / 1000
        self._thread = threading.Thread(target=self._run, daemon=True, name="otel-metrics")
        self._thread.start()

    def close(self, last: GatewayCounters, seconds: float) -> None:
        """Export the last counters; wait at most so long."""
        self._counters = lambda: last
        self._over.set()
        self._thread.join(seconds)
        self._exporter.shutdown(timeout_millis=seconds * 1000)

    def _run(self) -> None:
        while not self._over.wait(self._interval):
            self._export()
        self._export()

    def _export(self) -> None:
        try:
            counters = self._counters()
        except (RuntimeError, TimeoutError):  # the gateway is about to end
            return
        self._exporter.export(self._data(counters))

    def _data(self, counters: GatewayCounters) -> MetricsData:
        metrics = list(metrics_of(counters, self._began, time.time_ns()))
        scope = ScopeMetrics(InstrumentationScope(SCOPE), metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [scope], "")])


def metrics_of(counters: GatewayCounters, began: int, now: int) -> Iterator[Metric]:
    """Yield the counters as metrics; the times are nanoseconds since 1970."""
    for name, (field, attribute, text) in _TALLIES.items():
        points = [
            NumberDataPoint({PHASE: phase, RULE: rule, attribute: _plain(attribute, key)}, began, now, count)
            for phase, rule, counts in _rules(counters)
            for key, count in counts[field].items()  # type: ignore[literal-required]
        ]
        yield _sum(name, text, points)
    policies = [
        NumberDataPoint({PHASE: phase, POLICY: name}, began, now, counts["met"])
        for phase, found in counters.get("policies", {}).items()
        for name, counts in found.items()
    ]
    yield _sum("chaos.policy.met", "Requests that met the fault of a policy", policies)
    times = [_times(phase, rule, counts, began, now) for phase, rule, counts in _rules(counters)]
    text = "Seconds from the sending of a request upstream to the head of its response"
    yield Metric("chaos.upstream.duration", text, "s", Histogram(times, AggregationTemporality.CUMULATIVE))


def _rules(counters: GatewayCounters) -> Iterator[tuple[str, str, RuleCounters]]:
    for phase, rules in counters["phases"].items():
        for rule, counts in rules.items():
            yield phase, rule, counts


def _plain(attribute: str, key: str) -> str | int:
    return int(key) if attribute == HTTP_RESPONSE_STATUS_CODE else key


def _sum(name: str, text: str, points: list[NumberDataPoint]) -> Metric:
    data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
    return Metric(name, text, "{request}", data)


def _times(phase: str, rule: str, counts: RuleCounters, began: int, now: int) -> HistogramDataPoint:
    buckets = [counts["upstream_times"].get(name, 0) for name in WITHIN]
    return HistogramDataPoint(
        {PHASE: phase, RULE: rule}, began, now, sum(buckets), counts["upstream_seconds"], buckets, BOUNDS, 0.0, 0.0
    )
