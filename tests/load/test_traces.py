"""With `otel` every request of the load carries a trace of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.load import plan, run
from support.origin import Origin, ok

pytestmark = pytest.mark.slow

LOCUSTFILE = """
from locust import HttpUser, task

class Shopper(HttpUser):
    @task
    def home(self):
        self.client.get("/home")
"""
OWN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def answer(asked: Any, writer: Any) -> None:
    writer.write(ok(asked))


@pytest.mark.parametrize("client", ["lean", "locust", "locustfile"])
def test_each_request_has_a_traceparent(client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody receives the spans, which is nothing to the load."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    file = tmp_path / "locustfile.py"
    file.write_text(LOCUSTFILE)
    tasks = [
        {"name": "home", "method": "GET", "url": "http://webserver/home"},
        {"name": "own", "method": "GET", "url": "http://webserver/own", "headers": {"traceparent": OWN}},
    ]
    more = {"locustfile": str(file), "tasks": []} if client == "locustfile" else {"tasks": tasks, "client": client}
    with Origin(answer) as origin:
        load = run(plan(origin.url, requests=60, otel=True, **more))
    assert load.code == 0 and "Traceback" not in load.stderr
    sent = [asked.headers["traceparent"] for asked in origin.asked if asked.target == "/home"]
    assert len(sent) > 10 and len(set(sent)) == len(sent)
    assert {(each[:3], each[-3:], len(each)) for each in sent} == {("00-", "-01", 55)}
    assert {asked.headers["traceparent"] for asked in origin.asked if asked.target == "/own"} <= {OWN}
