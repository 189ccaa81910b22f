"""A load process ends when it should, however that comes about, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.load import LIMIT, Load, plan
from support.origin import Asked, Origin, ok

pytestmark = pytest.mark.slow


async def slowly(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.005)
    writer.write(ok(asked))


def children_of(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(each) for each in text.split()]


def is_gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(processes: list[int]) -> float:
    began = time.monotonic()
    while not all(is_gone(each) for each in processes):
        assert time.monotonic() - began < LIMIT, f"still there: {processes}"
        time.sleep(0.01)
    return time.monotonic() - began


def test_it_ends_when_stdin_closes_and_tells_what_it_had() -> None:
    with Origin(slowly) as origin, Load(plan(origin.url, interval=0.05)) as load:
        load.until_type("digest")
        load.close_stdin()
        done = load.finish()
    assert (done["type"], done["reason"], load.code) == ("done", "stdin", 0)
    assert done["requests"] == load.digest().count


@pytest.mark.representative
def test_it_ends_on_sigterm_and_not_on_sigint() -> None:
    """Ctrl-C reaches the whole terminal; the supervisor decides what becomes of it."""
    with Origin(slowly) as origin, Load(plan(origin.url, interval=0.05)) as load:
        load.until_type("digest")
        load.process.send_signal(signal.SIGINT)
        load.until_type("digest")
        load.until_type("digest")
        load.process.send_signal(signal.SIGTERM)
        done = load.finish()
    assert (done["reason"], load.code) == ("signal", 0)


def test_nothing_is_sent_without_a_plan() -> None:
    with Load("") as load:
        load.process.wait(LIMIT)
        load.finish() if load.lines else None
    assert load.code == 0
    assert load.lines == []


@pytest.mark.parametrize("processes", [1, 2])
def test_it_dies_with_its_parent(processes: int, tmp_path: Path) -> None:
    """The parent is killed outright; its stdin pipe is kept open by another process, so only the kernel can tell."""
    with Origin(slowly) as origin:
        text = json.dumps(plan(origin.url, processes=processes, interval=0.05))
        script = (
            "import subprocess, sys\n"
            "load = subprocess.Popen([sys.executable, '-m', 'chaos.load'], stdin=sys.stdin, stdout=subprocess.PIPE)\n"
            "for line in load.stdout:\n"
            "    if b'\"digest\"' in line: print(load.pid, flush=True)\n"
        )
        parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert parent.stdin is not None and parent.stdout is not None
            parent.stdin.write(text.encode() + b"\n")
            parent.stdin.flush()
            load = int(parent.stdout.readline())
            everyone = [load, *children_of(load)]
            assert len(everyone) == (1 if processes == 1 else 3)
        finally:
            parent.kill()
            parent.wait(LIMIT)
        assert wait_until_gone(everyone) < 2.0
        parent.stdin.close()
        parent.stdout.close()


def test_workers_are_gone_when_it_has_ended() -> None:
    with Origin(slowly) as origin, Load(plan(origin.url, processes=2, interval=0.05)) as load:
        load.until_type("digest")
        workers = children_of(load.process.pid)
        assert len(workers) == 2
        load.send({"command": "stop"})
        done = load.finish()
    assert all(is_gone(each) for each in workers)
    assert (done["reason"], done["requests"] + done["abandoned"]) == ("stop", len(origin.asked))


def test_a_worker_that_dies_makes_the_load_fail() -> None:
    """Its counts are lost, so what is left must not be judged as if it were all."""
    with Origin(slowly) as origin, Load(plan(origin.url, processes=2, interval=0.05)) as load:
        load.until_type("digest")
        victim, other = children_of(load.process.pid)
        os.kill(victim, signal.SIGKILL)
        done = load.finish()
    events = [line["text"] for line in load.lines if line["type"] == "event"]
    assert "a load worker died (-9)" in events
    assert (done["reason"], load.code) == ("failed", 5)
    assert is_gone(other)


def test_a_supervisor_that_reads_no_more_ends_it() -> None:
    with Origin(slowly) as origin:
        process = subprocess.Popen([sys.executable, "-m", "chaos.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(plan(origin.url, interval=0.05)).encode() + b"\n")
        process.stdin.flush()
        assert b"ready" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(LIMIT) == 5
        process.stdin.close()


def test_a_low_soft_limit_of_open_files_does_not_stop_many_users() -> None:
    with Origin(slowly) as origin, Load(plan(origin.url, users=100, requests=300), files=64) as load:
        done = load.finish()
    assert (done["requests"], done["errors"], origin.connections) == (300, {}, 100)


def test_what_it_is_told_and_does_not_know_is_an_event() -> None:
    with Origin(slowly) as origin, Load(plan(origin.url, interval=0.05)) as load:
        load.send({"command": "dance"})
        event = load.until_type("event")
        load.send("no json")
        load.send({"command": "stop"})
        done = load.finish()
    assert event["level"] == "warning" and "dance" in event["text"]
    assert done["reason"] == "stop"
