"""A run whose load comes from other hosts, each a network of its own: the same faults and the same verdict, and nothing
wrong is said when a worker is killed or a cable is cut."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.experiments import experiment, journal, virtual_service, write
from support.hosts import Hosts, why_not
from support.load_workers import LoadWorker
from support.processes import descendants

from chaos.journal.records import Counters, Event, Findings, LoadWorkers

pytestmark = pytest.mark.slow

TOKEN, OTHER = "0123456789abcdef0123456789abcdef", "another token of 32 characters.."
JOIN = ("--load-bind", "0.0.0.0:5557", "--load-wait", "60s")


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    if reason := why_not():
        pytest.skip(reason)
    with Hosts() as made:
        yield made


@pytest.fixture
def token(tmp_path: Path) -> str:
    return key(tmp_path / "token", TOKEN)


def key(path: Path, text: str) -> str:
    path.touch(0o600)
    path.write_text(text)
    return str(path)


def case(folder: Path, **load: Any) -> str:
    """Half of all requests are aborted."""
    return write(folder, experiment(load=load), virtual_service(abort=50))


def start(out: Path, file: str, *more: str, before: list[str] | None = None) -> subprocess.Popen[str]:
    argv = [*(before or []), sys.executable, "-m", "chaos", "run", file, "--no-report", "--out", str(out), *more]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(run: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = run.communicate(timeout=90)
    return run.returncode, said


def records(out: Path) -> list[Any]:
    (folder,) = out.glob("*/*/")
    return journal(folder)


def last(found: list[Any], kind: type[Any]) -> Any:
    return [each for each in found if isinstance(each, kind)][-1]


def faults(found: list[Any]) -> int:
    """How many requests the gateway has aborted."""
    rules = last(found, Counters).counters["phases"].values()
    return sum(rule["faults"].get("abort", 0) for phase in rules for rule in phase.values())


def test_workers_of_two_hosts_see_what_one_process_sees(tmp_path: Path, hosts: Hosts, token: str) -> None:
    """Request by request: the same number of faults, and the same verdicts. The token is nowhere to be read."""
    file = case(tmp_path, requests=2000)
    alone = start(tmp_path / "alone", file, "--seed", "5")
    asked = ("--seed", "5", *JOIN, "--load-workers", "4", "--load-token-file", token)
    run = start(tmp_path / "hosts", file, *asked, before=hosts.enter(0))
    given = ("--token-file", token, "--processes", "2")
    with (
        LoadWorker(hosts.address(1), *given, before=hosts.enter(1)) as one,
        LoadWorker(hosts.address(2), *given, before=hosts.enter(2)) as two,
    ):
        code, said = ended(run)
        assert (one.code, two.code) == (0, 0)
    assert (code, ended(alone)[0]) == (3, 3)  # too few requests for a verdict
    found, expected = records(tmp_path / "hosts"), records(tmp_path / "alone")
    assert faults(found) == faults(expected) > 900
    assert [_claim(each) for each in last(found, Findings).findings] == [
        _claim(each) for each in last(expected, Findings).findings
    ]
    workers = last(found, LoadWorkers).workers
    assert sorted(each["host"].rpartition(" ")[2] for each in workers) == ["10.77.1.2"] * 2 + ["10.77.2.2"] * 2
    assert sum(each["requests"] for each in workers) == one.sent + two.sent == 2000
    assert "4 load workers took part" in said
    assert TOKEN not in said + "".join(path.read_text() for path in (tmp_path / "hosts").rglob("*.*"))


def _claim(finding: dict[str, Any]) -> tuple[Any, ...]:
    return finding["title"], finding["verdict"], json.dumps(finding.get("drawn")), json.dumps(finding.get("observed"))


def test_nothing_wrong_is_said_when_a_cable_is_cut_and_a_worker_killed(
    tmp_path: Path, hosts: Hosts, token: str
) -> None:
    """New connections fail meanwhile, which is not the gateway's fault. Somebody with another token is left outside."""
    wrong = key(tmp_path / "wrong", OTHER)
    load = {"duration": "9s", "arrivalRate": 200, "keepAlive": False}
    asked = (*JOIN, "--load-workers", "3", "--load-token-file", token)
    run = start(tmp_path / "hosts", case(tmp_path, **load), *asked, before=hosts.enter(0))
    with (
        LoadWorker(hosts.address(1), "--token-file", wrong, before=hosts.enter(1)) as stranger,
        LoadWorker(hosts.address(1), "--token-file", token, "--processes", "2", before=hosts.enter(1)) as one,
        LoadWorker(hosts.address(2), "--token-file", token, before=hosts.enter(2)) as two,
    ):
        two.until("started")
        hosts.cut(2)
        time.sleep(5)
        hosts.mend(2)
        os.kill(min(descendants(one.process.pid)), signal.SIGKILL)
        code, said = ended(run)
        assert (stranger.code, one.code, two.code) == (5, 5, 0)
    assert code in (0, 3), said
    found = records(tmp_path / "hosts")
    texts = [each.text for each in found if isinstance(each, Event)]
    assert any("another token" in text for text in texts)
    assert any("is heard again after" in text for text in texts)
    workers = last(found, LoadWorkers).workers
    assert {each["host"].rpartition(" ")[2]: each["state"] for each in workers}["10.77.2.2"] == "there"
    assert sum(each["unknown"] for each in workers) > 0
