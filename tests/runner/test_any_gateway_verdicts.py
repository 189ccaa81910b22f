"""What `chaos run --gateway URL` says of a gateway that is right, of one that is wrong, and of what it cannot see."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runner.test_any_gateway import case as abort_case
from runner.test_any_gateway import real_envoy
from support.envoy_binary import find_envoy
from support.experiments import experiment, run, virtual_service, write
from support.origin import Asked, Origin, ok
from support.ports import held_port

from chaos.claims.finding import Finding
from chaos.errors import ExitCode
from chaos.runner.terminal.result import RunResult
from chaos.runner.terminal.summary import summary_lines
from chaos.verify.verdict import Verdict

pytestmark = pytest.mark.slow

LOAD = {"users": 60, "until": "decided", "duration": "40s"}
ABORT = {"abort": {"percentage": {"value": 50}, "httpStatus": 503}}


def delay(percent: float, fixed: str = "40ms") -> dict[str, Any]:
    return {"delay": {"percentage": {"value": percent}, "fixedDelay": fixed}}


def judged(folder: Path, gateway: Any, fault: dict[str, Any], load: dict[str, Any] = LOAD) -> RunResult:
    """The result of a run through a gateway that answers as told, by a file with this fault."""
    file = write(folder, experiment(load=load, seed=5), virtual_service(fault=fault))
    with Origin(gateway) as origin:
        return run(file, folder, gateway=origin.url)


def of(result: RunResult, kind: str) -> Finding:
    return next(each for each in result.findings if each.kind == kind)


def late(share: float, seconds: float, upstream: Callable[[random.Random], float]) -> Any:
    """A gateway that delays a share of the requests to an upstream with these latencies."""
    dice = random.Random(11)

    async def gateway(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(upstream(dice) + (seconds if dice.random() < share else 0.0))
        writer.write(ok(asked))

    return gateway


def quick(dice: random.Random) -> float:
    return 0.0


def scattered(dice: random.Random) -> float:
    return dice.expovariate(1 / 0.02)


class TestEveryRequestIsDelayed:
    def test_the_right_gateway_is_verified(self, tmp_path: Path) -> None:
        result = judged(tmp_path, late(1, 0.04, quick), delay(100))
        assert (result.exit_code, result.outcome) == (ExitCode.VERIFIED, "verified"), result.findings
        assert of(result, "delay").verdict is of(result, "added-delay").verdict is Verdict.VERIFIED

    def test_a_gateway_that_delays_not_all_is_falsified(self, tmp_path: Path) -> None:
        result = judged(tmp_path, late(0.9, 0.04, quick), delay(100))
        assert (result.exit_code, of(result, "delay").verdict) == (ExitCode.FALSIFIED, Verdict.FALSIFIED)


class TestHalfAreDelayed:
    LOAD = {"users": 60, "requests": 4000}

    def test_a_scattered_upstream_does_not_falsify_the_right_gateway(self, tmp_path: Path) -> None:
        result = judged(tmp_path, late(0.5, 0.08, scattered), delay(50, "80ms"), self.LOAD)
        assert of(result, "delay").verdict is not Verdict.FALSIFIED, of(result, "delay")
        assert of(result, "added-delay").verdict is Verdict.NOT_JUDGED
        assert result.exit_code in (ExitCode.INCONCLUSIVE, ExitCode.VERIFIED)

    def test_nor_does_it_hide_the_wrong_one(self, tmp_path: Path) -> None:
        result = judged(tmp_path, late(0.2, 0.08, scattered), delay(50, "80ms"), self.LOAD)
        assert (result.exit_code, of(result, "delay").verdict) == (ExitCode.FALSIFIED, Verdict.FALSIFIED)


class TestAbortsWithoutABody:
    TASKS = {**LOAD, "tasks": [{"name": "look", "method": "HEAD", "url": "http://web/"}]}
    MINE = "content-type: text/plain\r\nserver: envoy\r\ncontent-length: 18\r\n"
    THEIRS = "server: envoy\r\ncontent-length: 700\r\nx-envoy-upstream-service-time: 1\r\n"

    @staticmethod
    def gateway(share: float, aborted: str) -> Any:
        dice = random.Random(4)

        async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            status, head = ("503 x", aborted) if dice.random() < share else ("200 OK", TestAbortsWithoutABody.THEIRS)
            writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode())

        return answer

    @pytest.mark.parametrize(("share", "code"), [(0.5, ExitCode.VERIFIED), (0.4, ExitCode.FALSIFIED)])
    def test_envoys_head_tells_them(self, tmp_path: Path, share: float, code: ExitCode) -> None:
        result = judged(tmp_path, self.gateway(share, self.MINE), ABORT, self.TASKS)
        assert result.exit_code is code, result.findings

    def test_another_head_does_not_and_it_is_not_judged(self, tmp_path: Path) -> None:
        result = judged(tmp_path, self.gateway(0.5, "server: other\r\n"), ABORT, self.TASKS)
        assert (result.exit_code, of(result, "abort").verdict) == (ExitCode.INCONCLUSIVE, Verdict.NOT_JUDGED)
        assert "had no body" in of(result, "abort").sentence

    @pytest.mark.envoy
    @pytest.mark.skipif(find_envoy() is None, reason="the real Envoy is not installed")
    def test_a_real_envoys_head_tells_them(self, tmp_path: Path) -> None:
        load = {**self.TASKS, "users": 16}
        with held_port() as port, held_port() as listener:
            file = abort_case(tmp_path, 50, port, load=load)
            with real_envoy(file, tmp_path, listener) as url:
                result = run(file, tmp_path, gateway=url)
        assert result.outcome == "verified", result.findings


def test_what_cannot_be_seen_is_said_and_holds_nothing_up(tmp_path: Path) -> None:
    dice = random.Random(4)

    async def gateway(asked: Asked, writer: asyncio.StreamWriter) -> None:
        aborted = dice.random() < 0.5
        writer.write(ok(asked, status="503 x", body=b"fault filter abort") if aborted else ok(asked))

    route = [{"destination": {"host": host}, "weight": weight} for host, weight in (("web", 80), ("other", 20))]
    services = {name: {"builtin": "webserver"} for name in ("web", "other")}
    rule = virtual_service(fault=ABORT, route=route)
    file = write(tmp_path, experiment(services=services, load=LOAD, seed=5), rule)
    with Origin(gateway) as origin:
        result = run(file, tmp_path, gateway=origin.url)
    told = [(each.kind, each.verdict) for each in result.findings]
    assert told == [
        ("lost", Verdict.VERIFIED), ("failures", Verdict.NOT_JUDGED),
        ("route", Verdict.NOT_JUDGED), ("abort", Verdict.VERIFIED),
        ("destination", Verdict.NOT_JUDGED), ("destination", Verdict.NOT_JUDGED),
    ]  # fmt: skip
    assert (result.exit_code, result.seconds < 35) == (ExitCode.VERIFIED, True)
    assert sum("not-judged" in line for line in summary_lines(result)) == 4
