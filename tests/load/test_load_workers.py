"""Processes of `chaos load-worker` carry a load: the same requests as one process would send, whoever sends them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.ids import first_ids
from support.load import Load, plan
from support.load_workers import LoadWorker, port_of
from support.origin import Asked, Origin, ok

pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef0123456789abcdef"


def aborted(request: str) -> bool:
    return int(request[:8], 16) % 3 == 0


async def tagged(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Like the gateway: what becomes of a request follows from its id."""
    if aborted(asked.headers["x-request-id"]):
        writer.write(ok(asked, status="503 x", headers="x-chaos-route: web[0]\r\nx-chaos-fault: abort\r\n"))
    else:
        writer.write(ok(asked, headers="x-chaos-route: web[0]\r\nx-chaos-destination: web:80\r\n"))


def joining(origin: Origin, token: str = "", **more: Any) -> dict[str, Any]:
    where = {"bind": "127.0.0.1:0", "token": token, "gateway": origin.url, "wait": 20.0}
    return plan(origin.url, interval=0.1, joining=where, **{"processes": 2, **more})


@pytest.mark.representative
def test_two_workers_see_what_one_process_sees(tmp_path: Path) -> None:
    """Exactly: the same ids, and so the same faults. Somebody with another token changes nothing."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    with Origin(tagged) as origin, Load(joining(origin, TOKEN, requests=300)) as load:
        at = port_of(load)
        with LoadWorker(at) as stranger:
            assert stranger.code == 5
            assert stranger.lines == [f"waiting for a run at {at}", f"the load at {at} wants a token (--token-file)"]
        with LoadWorker(at, "--token-file", str(token), "--processes", "2") as workers:
            load.finish()
            assert workers.code == 0, workers.lines
    assert sorted(origin.ids) == sorted(first_ids(7, 300))
    counted = Counter({key.fault: tally.count for key, tally in load.digest().items()})
    assert counted == Counter("abort" if aborted(each) else "" for each in first_ids(7, 300))
    assert workers.sent == 300
    for index, number in (("1", ""), ("2", "")):
        own = [line for line in workers.lines if line.startswith(f"[{index}]")]
        assert [line.split()[1].rstrip(number + ":") for line in own] == ["joined", "started", "ended"]
    assert (load.code, load.lines[-1]["requests"]) == (0, 300)
    assert any("another token" in line.get("text", "") for line in load.lines)


LOCUSTFILE = """
from locust import FastHttpUser, task
from data import PATH

class Visitor(FastHttpUser):
    @task
    def home(self):
        self.client.get(PATH, name="home")
"""


def test_a_locustfile_runs_where_code_is_allowed(tmp_path: Path) -> None:
    """With what lies beside it. A worker that allows none says so and takes no part."""
    (tmp_path / "load.py").write_text(LOCUSTFILE)
    (tmp_path / "data.py").write_text("PATH = '/from-data'\n")
    file = str(tmp_path / "load.py")
    with Origin(tagged) as origin, Load(joining(origin, processes=1, tasks=[], locustfile=file, requests=100)) as load:
        at = port_of(load)
        with LoadWorker(at) as without:
            assert without.code == 2
        with LoadWorker(at, "--allow-code") as worker:
            load.finish()
            assert worker.code == 0
    assert "takes only workers with --allow-code" in without.lines[-1]
    assert sorted(origin.ids) == sorted(first_ids(7, 100))
    assert {asked.target for asked in origin.asked} == {"/from-data"}


@pytest.mark.representative
def test_a_worker_that_is_ended_leaves_and_the_load_goes_on() -> None:
    """Then the load dies, and the other worker notices within two seconds."""
    with Origin(tagged) as origin, Load(joining(origin, arrival_rate=60)) as load:
        at = port_of(load)
        with LoadWorker(at) as first, LoadWorker(at) as second:
            first.until("started")
            second.until("started")
            first.interrupt()
            assert first.code == 130
            load.until(lambda line: "was ended there" in line.get("text", ""))
            load.until(lambda line: line["type"] == "digest" and bool(line["entries"]) and line["users"] == 2)
            os.kill(load.process.pid, signal.SIGKILL)
            began = time.monotonic()
            assert second.code == 5
            assert time.monotonic() - began < 2.0
            assert f"the load at {at} has gone" in second.lines[-1]
