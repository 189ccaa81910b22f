"""Requests of a task that is fed from rows: which row a request takes follows from the seed and its number."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from support.ids import first_ids
from support.load import plan, run
from support.origin import Asked, Origin, ok

from chaos.journal.identity import row_of
from chaos.load.sequence import Sequence
from chaos.protocol.load_plan import BadPlan, Plan

ROWS = [["ada", "1"], ["bo", "2"], ["céd ric", "3"]]
TASK = {
    "name": "user",
    "method": "POST",
    "url": "http://webserver/u/ada",
    "headers": {"x-user": "1"},
    "body": "ada",
    "fed": {
        "target": {"pieces": ["/u/", {"name": "name", "default": ""}], "quoting": "url"},
        "headers": {"x-user": {"pieces": [{"name": "n", "default": ""}], "quoting": "none"}},
        "body": {"pieces": [{"name": "name", "default": ""}], "quoting": "none"},
    },
}
PATHS = ["/u/ada", "/u/bo", "/u/c%C3%A9d%20ric"]


def fed(gateway: str, order: str = "sequential", **more: Any) -> dict[str, Any]:
    feeder = {"columns": ["name", "n"], "rows": ROWS, "order": order}
    return plan(gateway, tasks=[TASK], feeder=feeder, **more)


async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(ok(asked))


def seen(origin: Origin) -> dict[str, tuple[str, str, bytes]]:
    return {each.headers["x-request-id"]: (each.target, each.headers["x-user"], each.body) for each in origin.asked}


def wanted(row: int) -> tuple[str, str, bytes]:
    return PATHS[row], ROWS[row][1], ROWS[row][0].encode()


@pytest.mark.parametrize("more", [{"processes": 1}, {"processes": 2}, {"client": "locust"}], ids=str)
def test_every_process_and_client_sends_the_rows_in_the_order_of_the_numbers(more: dict[str, Any]) -> None:
    with Origin(answer) as origin:
        load = run(fed(origin.url, requests=31, **more))
    assert load.lines[-1]["errors"] == {}
    assert seen(origin) == {each: wanted(number % 3) for number, each in enumerate(first_ids(7, 31))}


def test_at_random_the_seed_decides_and_all_rows_are_taken_alike() -> None:
    """3000 draws: within five standard deviations of a third each."""
    ids = first_ids(7, 3000)
    rows = Counter(row_of("random", 3, number, each) for number, each in enumerate(ids))
    assert all(abs(rows[row] - 1000) < 5 * (3000 * 2 / 9) ** 0.5 for row in range(3))
    with Origin(answer) as origin:
        run(fed(origin.url, "random", requests=30))
    assert seen(origin) == {each: wanted(row_of("random", 3, 0, each)) for each in ids[:30]}


def test_a_replay_takes_the_rows_that_the_run_took() -> None:
    ids = first_ids(7, 9)
    with Origin(answer) as origin:
        run(fed(origin.url, replay=[["user", ids[number], number] for number in (8, 3, 4)]))
    assert seen(origin) == {ids[number]: wanted(number % 3) for number in (8, 3, 4)}


def test_a_task_without_a_feeder_takes_no_row() -> None:
    assert Sequence(Plan.of(plan("http://127.0.0.1:1"))).row(5, "x") == 0


def test_a_plan_whose_feeder_lacks_a_column_is_refused() -> None:
    for feeder in (None, {"columns": ["name"], "rows": ROWS, "order": "random"}):
        with pytest.raises(BadPlan, match=r"task 'user': the feeder has no rows with n"):
            Plan.of(plan("http://127.0.0.1:1", tasks=[TASK], feeder=feeder))
