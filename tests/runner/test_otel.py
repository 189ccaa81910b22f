"""`chaos run --otel`: each request is one trace, from the load through the gateway to upstream."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.experiments import experiment, run, virtual_service, write
from support.otlp import receiver

from chaos.errors import ExitCode


@pytest.mark.slow
async def test_load_gateway_and_attempts_are_one_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers of the gateway and two of the load, each of which exports its own."""
    load = {"users": 8, "requests": 300, "processes": 2}
    file = write(tmp_path, experiment(load=load, verify={"tolerance": 20}, seed=3), virtual_service(abort=50))
    async with receiver() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        result = await asyncio.to_thread(run, file, tmp_path, otel=True, workers=2)
    assert result.exit_code in (ExitCode.VERIFIED, ExitCode.INCONCLUSIVE), result.reasons  # 300 do not tell all
    of_load = {span.id: span for span in collector.of("CLIENT") if "chaos.task" in span.attributes}
    attempts = [span for span in collector.of("CLIENT") if "chaos.task" not in span.attributes]
    requests = {span.id: span for span in collector.of("SERVER")}
    assert (len(of_load), len(requests)) == (300, 300) and 100 < len(attempts) < 200
    for request in requests.values():
        parent = of_load[request.parent]
        assert parent.trace == request.trace
        assert parent.attributes.get("chaos.fault") == request.attributes.get("chaos.fault")
        assert parent.attributes["http.response.status_code"] == request.attributes["http.response.status_code"]
        assert parent.attributes["chaos.rule"] == "web[0]" and parent.seconds >= request.seconds - 0.02
    assert all(requests[attempt.parent].trace == attempt.trace for attempt in attempts)
    names = [each["service.name"] for each in collector.resources]
    assert set(names) == {"chaos-gateway", "chaos-load"}
    instances = {each["service.instance.id"] for each in collector.resources}
    assert len(instances) == 4
    assert sum(point.as_int for point in collector.metrics["chaos.requests"].values()) > 0
