"""The counters as Prometheus text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from chaos.faults import TAGS, count_of, happened
from chaos.protocol.counters import WITHIN, GatewayCounters, RuleCounters

_PLAIN = {
    "requests": "Requests that took this rule",
    "forwarded": "Requests that were forwarded",
    "answered": "Forwarded requests whose response came from upstream",
    "mirrored": "Copies sent to mirrors",
    "upstream_requests": "Attempts sent upstream",
    "upstream_failures": "Attempts that the rule's retryOn would retry",
    "delay_seconds": "Injected delay in seconds",
}
_FAULTS = {tag: "Requests that were " + happened(tag).replace(", then", " and then") for tag in TAGS}
_TALLIED = {
    "destinations": ("destination", "Requests forwarded, by destination"),
    "mirrors": ("destination", "Copies of requests, by the cluster that gets them"),
    "statuses": ("status", "Responses to clients, by status; 0: the client left first"),
    "upstream_statuses": ("status", "Responses of upstreams, by status"),
    "tries": ("tries", "Forwarded requests, by how many attempts they took"),
    "left": ("fault", "Clients that left before their response, by the fault that was drawn for them"),
    "left_to": ("destination", "Clients that left before their response, by the destination drawn for them"),
    "failures": ("flag", "Forwarded requests without a response from upstream, by Envoy's response flag"),
}


class _Counters(Collector):
    def __init__(self, counters: GatewayCounters):
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        counters = self._counters
        yield GaugeMetricFamily("chaos_connections", "Client connections", value=counters["connections"])
        yield GaugeMetricFamily("chaos_workers", "Worker processes", value=counters["workers"])
        yield GaugeMetricFamily("chaos_rules_generation", "How often rules were loaded", value=counters["generation"])
        yield CounterMetricFamily("chaos_cpu_seconds", "Processor time of the workers", value=counters["cpu_seconds"])
        yield CounterMetricFamily("chaos_unmatched", "Requests without a route", value=counters["unmatched"])
        for name, text in _PLAIN.items():
            family = CounterMetricFamily(f"chaos_{name}", text, labels=("phase", "rule"))
            for phase, rule, counts in self._rules():
                family.add_metric((phase, rule), counts[name])  # type: ignore[literal-required]
            yield family
        for tag, text in _FAULTS.items():
            family = CounterMetricFamily(f"chaos_{tag.replace(',', '_')}", text, labels=("phase", "rule"))
            for phase, rule, counts in self._rules():
                family.add_metric((phase, rule), count_of(tag, counts["faults"]))
            yield family
        for name, (label, text) in _TALLIED.items():
            family = CounterMetricFamily(f"chaos_{name}", text, labels=("phase", "rule", label))
            for phase, rule, counts in self._rules():
                for key, count in counts[name].items():  # type: ignore[literal-required]
                    family.add_metric((phase, rule, key), count)
            yield family
        yield self._upstream_times()
        yield self._policies()

    def _policies(self) -> Metric:
        """Return what became of the requests that policies are about."""
        text = "Requests (or attempts) that a policy was about: met its fault, were spared, or spared as it was full"
        family = CounterMetricFamily("chaos_policy_requests", text, labels=("policy", "phase", "outcome"))
        for phase, policies in self._counters.get("policies", {}).items():
            for name, counts in policies.items():
                met, full = counts["met"], counts["full"]
                for outcome, count in (("met", met), ("spared", counts["targeted"] - met - full), ("full", full)):
                    family.add_metric((name, phase, outcome), count)
        return family

    def _upstream_times(self) -> Metric:
        """Return the histogram of the times that upstream took."""
        text = "Seconds from the sending of a request upstream to the head of its response"
        family = HistogramMetricFamily("chaos_upstream_latency_seconds", text, labels=("phase", "rule"))
        for phase, rule, counts in self._rules():
            within = accumulate(counts["upstream_times"].get(name, 0) for name in WITHIN)
            family.add_metric((phase, rule), list(zip(WITHIN, within, strict=True)), counts["upstream_seconds"])
        return family

    def _rules(self) -> Iterator[tuple[str, str, RuleCounters]]:
        for phase, rules in self._counters["phases"].items():
            for rule, counts in rules.items():
                yield phase, rule, counts


def prometheus_text(counters: GatewayCounters) -> bytes:
    """Return the counters (docs/protocol.md) in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Counters(counters))
    return generate_latest(registry)
