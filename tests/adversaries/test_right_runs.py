"""Right gateways, our own and a real Envoy, are never falsified by a run, whatever is in front of them and behind.

One run of each here; `make right` makes twenty (CHAOS_RIGHT_RUNS). Their confidence is 99.9999 %, so that chance fails
one in a million runs at most."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.envoy_binary import find_envoy
from support.experiments import experiment, run, virtual_service, write
from support.exported_envoy import real_envoy
from support.origin import Answer, Asked, Origin, ok
from support.ports import held_port

from chaos.verify.verdict import Verdict

pytestmark = pytest.mark.slow

RUNS = int(os.environ.get("CHAOS_RIGHT_RUNS", "1"))
VERIFY = {"confidence": 99.9999, "tolerance": 5, "certainTolerance": 1}
LOAD = {"users": 16, "until": "decided", "duration": "5s"}
IMPATIENT = {"get": "http://web/", "timeout": "0.3s"}
LOCUSTFILE = """
from locust import FastHttpUser, task

class User(FastHttpUser):
    host = "http://web"
    @task
    def home(self):
        self.client.get("/")
"""


# ------------------------------------------------------------------------------------------------ what is behind


def quick(dice: Random) -> Answer:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(asked))

    return answer


def slow(seconds: float) -> Callable[[Random], Answer]:
    def make(dice: Random) -> Answer:
        async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(seconds)
            writer.write(ok(asked))

        return answer

    return make


def scattered(dice: Random) -> Answer:
    """Exponential latencies of 50 ms on average."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(dice.expovariate(20))
        writer.write(ok(asked))

    return answer


def bursty(dice: Random) -> Answer:
    """Nothing comes back in the first 0.3 s of a second; then everything does at once."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(max(0.0, 0.3 - time.monotonic() % 1))
        writer.write(ok(asked))

    return answer


def failing(dice: Random) -> Answer:
    """One response of ten says 500."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(asked, status="500 No" if dice.random() < 0.1 else "200 OK"))

    return answer


# ------------------------------------------------------------------------------------------------ the cases


@dataclass(frozen=True)
class Case:
    """A right gateway in a situation of its own. `load` and `rules` are laid over LOAD and over one rule that aborts
    half of the requests; `kind` is the claim that has to be decided, so that a run says something."""

    name: str
    upstream: Callable[[Random], Answer] = quick
    load: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=lambda: virtual_service(abort=50, status=400))
    kind: str = "abort"
    locustfile: bool = False

    def write(self, folder: Path, port: int, seed: int) -> str:
        load = {**LOAD, **self.load}
        if self.locustfile:
            (folder / "locustfile.py").write_text(LOCUSTFILE)
            load["locustfile"] = str(folder / "locustfile.py")
        services = {"web": {"endpoints": [{"address": f"127.0.0.1:{port}"}]}}
        return write(folder, experiment(services=services, load=load, verify=VERIFY, seed=seed), self.rules)


def delay(fixed: str) -> dict[str, Any]:
    return virtual_service(fault={"delay": {"fixedDelay": fixed, "percentage": {"value": 50}}})


OURS = [
    Case("a quick upstream"),
    Case("a slow upstream", slow(0.4), {"users": 200}),
    Case("a bursty upstream", bursty, {"users": 100}),
    Case("a failing upstream", failing),
    Case("clients that do not wait for the delay", quick, {"users": 150, "tasks": [IMPATIENT]}, delay("1s"), "delay"),
    Case("a slow upstream behind a delay", slow(1.5), {"users": 500}, delay("0.5s"), "delay"),
    Case("a locustfile and a delay", quick, {"users": 80}, delay("0.5s"), "delay", locustfile=True),
    Case("Locust's own client", quick, {"client": "locust"}),
]  # fmt: skip
ENVOYS = [
    Case("a quick upstream"),
    Case("a slow upstream", slow(0.4), {"users": 200}),
    Case("a bursty upstream", bursty, {"users": 100}),
    Case("a failing upstream", failing),
    Case("a scattered upstream behind a delay", scattered, {"users": 150}, delay("0.3s"), "delay"),
]


@contextlib.contextmanager
def before(case: Case, folder: Path, number: int, envoy: bool) -> Iterator[tuple[str, str | None]]:
    """The experiment's file, and the URL of an Envoy if it is to be one."""
    with Origin(case.upstream(Random(number))) as origin:
        file = case.write(folder, origin.port, number)
        if not envoy:
            yield file, None
            return
        with held_port() as listener, real_envoy(file, folder, listener) as url:
            yield file, url


def judge(case: Case, folder: Path, number: int, envoy: bool) -> None:
    with before(case, folder, number, envoy) as (file, url):
        result = run(file, folder, gateway=url)
    wrong = [f"{each.name}: {each.sentence}" for each in result.findings if each.verdict is Verdict.FALSIFIED]
    assert not wrong, (number, wrong)
    assert [each for each in result.findings if each.kind == case.kind and each.interval], result.reasons


@pytest.mark.parametrize("number", range(1, RUNS + 1))
@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_our_own_gateway_is_never_falsified(case: Case, number: int, tmp_path: Path) -> None:
    judge(case, tmp_path, number, envoy=False)


@pytest.mark.envoy
@pytest.mark.skipif(find_envoy() is None, reason="the real Envoy is not installed")
@pytest.mark.parametrize("number", range(1, RUNS + 1))
@pytest.mark.parametrize("case", ENVOYS, ids=lambda case: case.name)
def test_a_real_envoy_is_never_falsified(case: Case, number: int, tmp_path: Path) -> None:
    judge(case, tmp_path, number, envoy=True)
