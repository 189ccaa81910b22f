"""`chaos run --gateway URL --access-log FILE`: a real Envoy is judged by its own log, destinations and attempts too."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.envoy_binary import find_envoy
from support.experiments import experiment, run, virtual_service, write
from support.exported_envoy import real_envoy
from support.ports import held_port

from chaos.errors import ExitCode
from chaos.runner.terminal.result import RunResult

pytestmark = [
    pytest.mark.slow,
    pytest.mark.envoy,
    pytest.mark.skipif(find_envoy() is None, reason="the real Envoy is not installed"),
]


def case(folder: Path, name: str, ports: tuple[int, int], weight: int, retries: int) -> str:
    """Two services, of which a quarter of the tries fails, and how the requests are split among them."""
    hosts = ("web", "other")
    services = {host: {"builtin": "webserver", "port": port} for host, port in zip(hosts, ports, strict=True)}
    load = {"users": 30, "until": "decided", "duration": "60s", "tasks": [{"get": "http://web/failssometimes"}]}
    route = [
        {"destination": {"host": host}, "weight": each}
        for host, each in zip(hosts, (weight, 100 - weight), strict=True)
    ]
    rule = virtual_service(route=route, retries={"attempts": retries, **({"retryOn": "5xx"} if retries else {})})
    return write(folder, experiment(services=services, load=load, verify={"tolerance": 5}, seed=3), rule, name=name)


def judged(folder: Path, *, weight: int, retries: int) -> RunResult:
    """The result by a file that says 75 to 25 and one retry, of an Envoy that was told something else."""
    log = folder / "access.log"
    log.touch()
    with held_port() as web, held_port() as other, held_port() as listener:
        really = case(folder, "really.yaml", (web, other), weight, retries)
        with real_envoy(really, folder, listener, log) as url:
            return run(case(folder, "case.yaml", (web, other), 75, 1), folder, gateway=url, access_log=log)


def test_the_right_one_is_verified(tmp_path: Path) -> None:
    result = judged(tmp_path, weight=75, retries=1)
    found = {each.title: each for each in result.findings}
    assert result.exit_code is ExitCode.VERIFIED, result.findings
    assert {found[title].verdict.value for title in ("to web", "to other", "failing after 1 retries")} == {"verified"}
    assert found["to web"].drawn is not None and found["to web"].drawn.n > 500


def test_a_wrong_one_is_falsified(tmp_path: Path) -> None:
    result = judged(tmp_path, weight=60, retries=0)
    wrong = {each.title for each in result.findings if each.verdict.value == "falsified"}
    assert wrong == {"to web", "to other", "failing after 1 retries"} and result.exit_code is ExitCode.FALSIFIED
