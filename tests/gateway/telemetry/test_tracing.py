"""What a gateway exports with `--otel`: spans of requests and attempts, joined by traceparent; its counters as
metrics."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.decisions import HandRules, aborting, cluster, delayed, forward, retrying, to
from support.mesh import virtual_service
from support.otlp import Receiver, receiver
from support.policies import policy
from support.policies import rules as policies
from support.scripted import OK, gateway, get, in_turn, upstream

from chaos.cli.commands import call

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GONE = b"HTTP/1.1 503 X\r\ncontent-length: 4\r\n\r\ngone"


@asynccontextmanager
async def traced(monkeypatch: pytest.MonkeyPatch, rules: Any, **settings: Any) -> AsyncIterator[tuple[Any, Receiver]]:
    """A gateway; what it exports is there when the block is over."""
    async with receiver() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        async with gateway(rules, otel=True, **settings) as proxy:
            yield proxy, collector


def traceparent(head: bytes) -> list[str]:
    return re.findall(r"\r\ntraceparent: ([^\r]*)", head.decode())


async def test_a_request_has_a_span_and_so_has_each_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstream gets the span of its own attempt as parent; the client's is the parent of all."""
    async with upstream(in_turn(GONE, OK)) as server:
        rules = to(cluster(server.port), retry=retrying(1, 503))
        async with traced(monkeypatch, rules) as (proxy, collector):
            lines = (f"traceparent: 00-{TRACE}-{PARENT}-01", "tracestate: a=1", "user-agent: curl/8")
            assert (await proxy.ask(get("/a?x=1&sig=secret", *lines))).status == 200
    (request,), (first, second) = collector.of("SERVER"), collector.of("CLIENT")
    assert {span.trace for span in collector.spans} == {TRACE} and request.parent == PARENT
    assert (first.parent, second.parent) == (request.id, request.id)
    assert [traceparent(head) for head in server.heads] == [
        [f"00-{TRACE}-{each.id}-01"] for each in (first, second)
    ] and b"\r\ntracestate: a=1\r\n" in server.heads[0]
    assert (first.attributes["http.response.status_code"], first.failed) == (503, True)
    assert (second.attributes["http.response.status_code"], second.failed) == (200, False)
    assert second.attributes["http.request.resend_count"] == 1
    assert second.attributes["url.full"] == "http://web/a?x=1&sig=REDACTED"
    assert second.attributes["server.port"] == server.port
    wanted = {
        "http.request.method": "GET", "url.scheme": "http", "url.path": "/a", "url.query": "x=1&sig=REDACTED",
        "server.address": "web", "server.port": proxy.port, "http.response.status_code": 200,
        "user_agent.original": "curl/8", "client.address": "127.0.0.1", "network.protocol.version": "1.1",
        "chaos.rule": "web[0]", "chaos.attempts": 2,
    }  # fmt: skip
    assert wanted.items() <= request.attributes.items() and request.name == "GET" and not request.failed
    assert "chaos.fault" not in request.attributes


async def test_faults_are_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with traced(monkeypatch, aborting(0.01)) as (proxy, collector):
        await proxy.ask(get())
    (span,) = collector.spans
    found = {name: span.attributes[f"chaos.{name}"] for name in ("fault", "delay", "flags")}
    assert found == {"fault": "delay,abort", "delay": 0.01, "flags": "DI,FI"}
    assert span.failed and span.attributes["error.type"] == "FI" and span.seconds > 0.005
    (resource, *_) = collector.resources
    assert resource["service.name"] == "chaos-gateway" and resource["service.instance.id"]


async def test_what_upstream_does_not_answer_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async with traced(monkeypatch, to(cluster(9))) as (proxy, collector):
        await proxy.ask(get())
    (request,), (attempt,) = collector.of("SERVER"), collector.of("CLIENT")
    assert attempt.failed and attempt.attributes["error.type"] == "remote_connection_failure"
    assert request.failed and request.attributes["error.type"] == "UF"


async def test_a_policy_is_an_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    route = virtual_service("- route: [{destination: {host: web}}]")
    async with traced(monkeypatch, policies(route, policy("{status: {code: 429}}"))) as (proxy, collector):
        await proxy.ask(get())
    (span,) = collector.spans
    assert (span.attributes["chaos.policy"], span.attributes["http.response.status_code"]) == ("p", 429)
    assert [point.as_int for point in collector.metrics["chaos.policy.met"].values()] == [1]


async def test_counters_are_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    async with upstream() as server:
        to_web = cluster(server.port)

        def answer(request: Any, draws: Any) -> Any:
            there = forward(to_web, request)
            return delayed(0.001, there) if request.target == b"/late" else there

        async with traced(monkeypatch, HandRules(answer)) as (proxy, collector):
            for target in ("/", "/late", "/"):
                await proxy.ask(get(target))
    rule = {"chaos.rule": "virtualservice/default/web/0", "chaos.phase": ""}
    counted = collector.metrics["chaos.requests"]
    assert counted[frozenset({**rule, "http.response.status_code": 200}.items())].as_int == 3
    assert collector.metrics["chaos.faults"][frozenset({**rule, "chaos.fault": "delay"}.items())].as_int == 1
    times = collector.metrics["chaos.upstream.duration"][frozenset(rule.items())]
    assert times.count == 3 == sum(times.bucket_counts) and len(times.bucket_counts) == len(times.explicit_bounds) + 1


async def test_the_sdks_variables_are_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler that takes none: no span, and upstream learns it; metrics are counted all the same."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop-gateway")
    async with upstream() as server, traced(monkeypatch, to(cluster(server.port))) as (proxy, collector):
        await proxy.ask(get())
    (passed_on,) = traceparent(server.heads[0])
    assert collector.spans == [] and not int(passed_on[-2:], 16) & 1
    assert {each["service.name"] for each in collector.resources} == {"shop-gateway"}
    assert collector.metrics["chaos.requests"]


async def test_an_endpoint_that_is_not_there_costs_nothing_but_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    async with gateway(aborting(), otel=True) as proxy:
        assert (await proxy.ask(get())).status == 503
    said = capfd.readouterr().err
    assert "Traceback" not in said and all(line.startswith("OpenTelemetry: ") for line in said.splitlines())


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "is no http URL; write it like http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "there is only http/protobuf"),
    ],
)
def test_what_cannot_be_exported_to_is_bad_input(
    name: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert call(["gateway", "case.yaml", "--otel"]) == 2
    assert capsys.readouterr().err == f"--otel: {name}={value}: {why}\n"


def test_without_the_packages_one_line_says_how_to_get_them(tmp_path: Path) -> None:
    """And nothing of OpenTelemetry is imported without the option."""
    program = (
        "import sys\nsys.modules['opentelemetry'] = None\nfrom chaos.cli.commands import call\n"
        "import chaos.gateway.process.main\ncode = call(['gateway', 'x.yaml', '--otel'])\n"
        "assert call(['gateway', 'x.yaml']) == 2\nsys.exit(code)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    first = ended.stderr.splitlines()[0]
    assert ended.returncode == 2, ended.stderr
    assert first == "--otel: OpenTelemetry is not installed; pip install 'chaos-harness[otel]' brings it"
