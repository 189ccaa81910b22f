"""A run in which nothing is behind, or responses are lost, is not verified, whatever its faults. Real processes."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.experiments import CHAOS, experiment, journal, run, virtual_service, write
from support.origin import Asked, Origin, ok

from chaos.errors import ExitCode
from chaos.journal.records import Event
from chaos.runner.terminal.result import RunResult
from chaos.verify.verdict import Verdict

LOAD = {"users": 8, "until": "decided", "duration": "20s"}
NOTHING = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "ServiceEntry",
    "metadata": {"name": "shop"},
    "spec": {
        "hosts": ["shop.example.com"],
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "STATIC",
    },
}


def third(wrong: Callable[[asyncio.StreamWriter], None]) -> Origin:
    """An origin that answers two requests of three; the third meets `wrong`."""
    count = 0

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        if count % 3 == 0:
            wrong(writer)
        else:
            writer.write(ok(asked))

    return Origin(answer)


def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def cut(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
    writer.close()


def before(origin: Origin, folder: Path, **spec: Any) -> str:
    """An experiment with this origin behind `web`."""
    services = {"web": {"endpoints": [{"address": f"127.0.0.1:{origin.port}"}]}}
    return write(
        folder, experiment(**{"services": services, "load": LOAD, "seed": 2, **spec}), virtual_service(abort=50)
    )


def verdicts(result: RunResult) -> dict[str, Verdict]:
    return {finding.kind: finding.verdict for finding in result.findings}


def events(result: RunResult) -> list[str]:
    assert result.folder is not None
    return [record.text for record in journal(result.folder) if isinstance(record, Event)]


@pytest.mark.slow
def test_a_service_without_endpoints_is_falsified_and_that_comes_first(tmp_path: Path) -> None:
    """Every request that is not aborted is answered with 503 by the gateway itself."""
    rules = virtual_service("shop.example.com", abort=20, status=418)
    load = {**LOAD, "tasks": [{"get": "http://shop.example.com/"}]}
    file = write(tmp_path, experiment(services={}, load=load, seed=2), NOTHING, rules)
    result = run(file, tmp_path)
    assert (result.outcome, result.exit_code) == ("falsified", ExitCode.FALSIFIED)
    assert "forwarded requests failed by themselves: no healthy upstream (UH)" in result.reasons[0]
    assert verdicts(result)["abort"] is Verdict.VERIFIED
    assert any("shop.example.com has no endpoint" in text for text in events(result))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verify", "outcome"),
    [({}, "falsified"), ({"failures": "allow"}, "verified"), ({"expect": ["failures < 80%"]}, "verified")],
)
def test_an_upstream_that_resets_falsifies_unless_the_user_judges_it(
    tmp_path: Path, verify: dict[str, Any], outcome: str
) -> None:
    with third(reset) as origin:
        result = run(before(origin, tmp_path, verify=verify), tmp_path)
    assert result.outcome == outcome
    assert ("failures" in verdicts(result)) is (not verify)
    if not verify:
        assert "failed by themselves: connection ended before the response (UC)" in result.reasons[0]
        assert verdicts(result)["lost"] is not Verdict.FALSIFIED, "the gateway answers 503"


@pytest.mark.slow
def test_responses_that_are_cut_short_are_lost(tmp_path: Path) -> None:
    with third(cut) as origin:
        result = run(before(origin, tmp_path, load={"users": 8, "requests": 3000}), tmp_path)
    assert result.exit_code is ExitCode.FALSIFIED
    assert verdicts(result)["lost"] is verdicts(result)["failures"] is Verdict.FALSIFIED
    assert "had no response: connection closed before the end of the response" in result.reasons[0]


@pytest.mark.slow
def test_a_foreign_gateway_that_resets_a_third_is_falsified(tmp_path: Path) -> None:
    with third(reset) as origin:
        result = run(write(tmp_path, experiment(load=LOAD), virtual_service(abort=50)), tmp_path, gateway=origin.url)
    (lost,) = (finding for finding in result.findings if finding.kind == "lost")
    assert lost.verdict is Verdict.FALSIFIED and "had no response: connection" in lost.sentence


@pytest.mark.slow
def test_an_upstream_that_answers_503_itself_may_mean_it_and_is_told_of(tmp_path: Path) -> None:
    async def gone(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(asked, status="503 Service Unavailable"))

    with Origin(gone) as origin:
        result = run(before(origin, tmp_path), tmp_path)
    assert result.outcome == "verified"
    assert any("upstream itself answered" in text and "with 503" in text for text in events(result))


@pytest.mark.slow
def test_plan_says_that_nothing_is_behind(tmp_path: Path) -> None:
    rules = virtual_service("shop.example.com", abort=20)
    load = {**LOAD, "tasks": [{"get": "http://shop.example.com/"}]}
    file = write(tmp_path, experiment(services={}, load=load), NOTHING, rules)
    told = subprocess.run([*CHAOS, "plan", "--no-probe", file], capture_output=True, text=True, check=True)
    assert "has no endpoint, so what is sent there is answered with 503" in told.stderr
    assert "failing by themselves" in told.stdout and "without a response" in told.stdout
