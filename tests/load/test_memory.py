"""A load process that runs for long does not grow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from support.load import Load, plan
from support.origin import Asked, Origin, ok

pytestmark = pytest.mark.slow

MOST_GROWTH = 2_000_000  # octets; 16 000 to 82 000 seen, and 4 300 000 without collecting
TASKS = [{"name": f"task {number}", "method": "GET", "url": "http://webserver/"} for number in range(20)]


def memory(process: int) -> int:
    """Return a process's resident memory in octets (proc(5), status)."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(ok(asked))


def digests(wanted: int) -> Callable[[dict[str, Any]], bool]:
    """Say yes to the digest of that number."""
    numbers = count(1)
    return lambda line: line["type"] == "digest" and next(numbers) == wanted


def test_digests_leave_nothing_behind() -> None:
    """Run through as many digests as five minutes have."""
    with Origin(answer) as origin:
        load = Load(plan(origin.url, arrival_rate=1000.0, interval=0.02, tasks=TASKS))
        with load:
            load.until(digests(50))
            before = memory(load.process.pid)
            load.until(digests(300))
            growth = memory(load.process.pid) - before
            load.send({"command": "stop"})
            load.finish()
    assert growth < MOST_GROWTH
