"""A load may have one number of users after another."""

from __future__ import annotations

import asyncio

import pytest
from support.load import Load, plan
from support.origin import Asked, Origin, ok

pytestmark = pytest.mark.slow


async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.01)
    writer.write(ok(asked))


@pytest.mark.parametrize("processes", [1, 2])
def test_users_follow_the_stages_and_the_last_ones_stay(processes: int) -> None:
    stages = [[1.0, 2, 1000.0], [1.0, 8, 1000.0], [0.1, 4, 1000.0]]
    with Origin(slow) as origin, Load(plan(origin.url, stages=stages, interval=0.1, processes=processes)) as load:
        for users in (2, 8, 4):
            load.until(lambda line, users=users: line["type"] == "digest" and line["users"] == users)
        seen = [line["users"] for line in load.lines if line["type"] == "digest"]
        assert seen.index(2) < seen.index(8) < len(seen) - 1
        load.send({"command": "stop"})
        done = load.until_type("done")
    assert done["reason"] == "stop" and done["errors"] == {}


def test_the_first_stage_lasts_for_the_warm_up_as_well() -> None:
    stages = [[0.1, 2, 1000.0], [0.1, 4, 1000.0]]
    with Origin(slow) as origin, Load(plan(origin.url, stages=stages, warmup=1.5, interval=0.1)) as load:
        load.until(lambda line: line["type"] == "digest" and line["users"] == 4)
    assert sum(line["seconds"] for line in load.lines if line["type"] == "digest" and line["users"] == 2) > 1.0
