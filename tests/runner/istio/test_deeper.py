"""What Prometheus says of calls of applications, asked over HTTP as it is."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.in_mesh import HOST, KEY, NO_PLAN, abort, case, rules

from chaos.claims.finding import Finding
from chaos.errors import EnvironmentFailed
from chaos.mesh.compile.rules import Rules
from chaos.runner.istio.deeper import DeeperCalls
from chaos.runner.plan.checked import prepare
from chaos.runner.plan.gateway_rules import compiled
from chaos.verify.verdict import Verdict


class Prometheus:
    """Answers instant queries from `counts` by response flags, which were scraped at `scraped`; it is 100 s there.
    `asked` are the queries; each moves `scraped` by `pace`."""

    def __init__(self) -> None:
        self.counts = {"-": 0.0, "FI": 0.0}
        self.scraped, self.pace = 0.0, 60.0
        self.asked: list[str] = []
        self.words: dict[str, Any] | None = None

    def answer(self, query: str) -> dict[str, Any]:
        self.asked.append(query)
        if query == "vector(1)":
            values: list[tuple[dict[str, str], float]] = [({}, 1.0)]
        elif query.startswith("timestamp("):
            self.scraped += self.pace
            values = [({"destination_service": HOST}, self.scraped)]
        else:
            labels = {"destination_service": HOST, "reporter": "source"}
            values = [({**labels, "response_flags": flags}, value) for flags, value in self.counts.items()]
        result = [{"metric": metric, "value": [100.0, str(value)]} for metric, value in values]
        return self.words or {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.fixture
def prometheus() -> Iterator[tuple[Prometheus, str]]:
    made = Prometheus()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(made.answer(parse_qs(urlsplit(self.path).query)["query"][0])).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def rules_of(folder: Path, *more: dict[str, Any]) -> Rules:
    return compiled(prepare([case(folder, rules(abort(50)), *more)]).require_sound(), NO_PLAN)


def told(url: str, made: Rules, then: dict[str, float], at: Prometheus, *, everybody: bool = False) -> Finding:
    async def work() -> tuple[Finding, ...]:
        calls = DeeperCalls(url, made, [KEY], everybody=everybody)
        await calls.begin()
        at.counts = then
        return await calls.end()

    (finding,) = asyncio.run(work())
    return finding


def test_faults_are_counted_and_the_share_is_a_least_one(tmp_path: Path, prometheus: tuple[Prometheus, str]) -> None:
    """How many of the others were the run's own is unknown, so there is no verdict. Counters that were not scraped
    after the load are waited for."""
    made, url = prometheus
    finding = told(url, rules_of(tmp_path), {"-": 60.0, "FI": 40.0}, made)
    assert (finding.verdict, finding.title, finding.configured) == (Verdict.NOT_JUDGED, "abort of deeper calls", 0.5)
    assert f"{url} counted 100 calls to {HOST} while the load lasted" in finding.sentence
    assert finding.sentence.endswith("40 of them aborted (FI): at least 40.0\u202f% of the run's own")
    assert sum(query.startswith("timestamp(") for query in made.asked) == 2


def test_with_everybodys_calls_no_share_is_the_runs_own(tmp_path: Path, prometheus: tuple[Prometheus, str]) -> None:
    made, url = prometheus
    made.scraped = 100.0
    finding = told(url, rules_of(tmp_path), {"-": 60.0, "FI": 40.0}, made, everybody=True)
    assert finding.sentence.endswith("phases without faults among them")


def test_rules_of_one_service_are_not_told_apart(tmp_path: Path, prometheus: tuple[Prometheus, str]) -> None:
    made, url = prometheus
    made.scraped = 100.0
    other = rules(abort(10), name="other", host="other.shop.svc.cluster.local")
    finding = told(url, rules_of(tmp_path, other), {"FI": 4.0}, made)
    assert "counters do not tell them apart" in finding.sentence


@pytest.mark.parametrize("words", [{"status": "error", "error": "bad_data"}, None])
def test_who_is_no_prometheus_is_told_of(
    tmp_path: Path, prometheus: tuple[Prometheus, str], words: dict[str, Any] | None
) -> None:
    made, url = prometheus
    made.words = words
    where = url if words is not None else "http://127.0.0.1:9"
    expected = "answers otherwise than Prometheus: bad_data" if words is not None else "does not answer"
    with pytest.raises(EnvironmentFailed, match=f"--prometheus: {where} {expected}"):
        told(where, rules_of(tmp_path), {}, made)
