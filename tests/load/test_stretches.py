"""A digest tells of the time in which its requests were sent, however late it comes."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from support.load import plan, run
from support.origin import Asked, Origin, ok

LATE = 1.5


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_the_rate_is_that_of_sending_to_the_last_line(processes: int) -> None:
    """An open model of 100 a second, and an upstream of 1.5 s: what is told at the end was not sent at once."""

    async def late(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(LATE)
        writer.write(ok(asked))

    with Origin(late) as origin:
        load = run(
            plan(origin.url, users=400, requests=500, arrival_rate=100.0, interval=0.5, hold=2.0, processes=processes)
        )
    lines = [line for line in load.lines if line["type"] == "digest"]
    told = [line for line in lines if line["entries"]]
    assert sum(entry["count"] for line in told for entry in line["entries"]) == 500
    for before, after in pairwise(lines):
        assert after["second"] == pytest.approx(before["second"] + before["seconds"], abs=0.002)
    assert sum(line["seconds"] for line in told if line["second"] < 4.9) < 500 / 100 + LATE + 1
    if processes == 1:
        for line in told[:-1]:
            count = sum(entry["count"] for entry in line["entries"])
            assert count == pytest.approx(100 * line["seconds"], abs=12), "a machine that is busy sends a little late"
            assert line["lag"] > LATE - 0.6
