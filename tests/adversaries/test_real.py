"""A few of the wrong gateways, and a right one, as real servers behind `chaos run --gateway`."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest
from adversaries import gateways as g
from support.experiments import experiment, run, virtual_service, write
from support.origin import Asked, Origin, ok
from support.simulated_load import Asked as Request

from chaos.claims.finding import Finding
from chaos.verify.verdict import Verdict

pytestmark = pytest.mark.slow

LOAD = {"users": 20, "requests": 10_000}
GET_AND_POST = [{"method": method, "url": "http://web/"} for method in ("GET", "POST")]


def serving(make: g.Make) -> Any:
    """Answer as a gateway on paper says: an abort looks as Envoy's does."""
    gateway, numbers, began = make(Random(3)), count(), monotonic()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        task = f"{asked.method} {asked.target}"
        found = gateway(Request(next(numbers), asked.connection, task, monotonic() - began))
        aborted = ok(asked, status="400 Bad Request", body=b"fault filter abort")
        writer.write(aborted if found.aborted else ok(asked))

    return answer


def judged(folder: Path, make: g.Make, load: dict[str, Any]) -> Finding:
    """The finding on the aborts."""
    file = write(folder, experiment(load=load, seed=5), virtual_service(abort=50, status=400))
    with Origin(serving(make)) as origin:
        result = run(file, folder, gateway=origin.url)
    return next(each for each in result.findings if each.kind == "abort")


WRONG: list[tuple[str, g.Make, dict[str, Any]]] = [
    ("per-task", g.on("GET /", 1.0, 0.0), {**LOAD, "tasks": GET_AND_POST}),
    ("per-connection", g.alternating(0.4, 0.6), LOAD),
    ("by-turns", g.aborting(g.deck), LOAD),
    ("in-bursts", g.aborting(lambda _: g.Turns(40, 40)), LOAD),
    ("drift", g.until(8), {"users": 20, "duration": "10s"}),
    ("dice", g.abort_where(g.chance(0.42)), LOAD),
]


@pytest.mark.parametrize(
    ("cause", "gateway", "load"),
    [pytest.param(*WRONG[0], marks=pytest.mark.representative, id=WRONG[0][0])]
    + [pytest.param(*case, id=case[0]) for case in WRONG[1:]],
)
def test_a_wrong_gateway_is_falsified_and_the_cause_is_named(
    tmp_path: Path, cause: str, gateway: g.Make, load: dict[str, Any]
) -> None:
    found = judged(tmp_path, gateway, load)
    assert (found.verdict, found.cause) == (Verdict.FALSIFIED, cause), found.sentence


@pytest.mark.parametrize("load", [LOAD, {**LOAD, "tasks": GET_AND_POST}], ids=["a task", "two tasks"])
def test_a_right_gateway_is_not(tmp_path: Path, load: dict[str, Any]) -> None:
    found = judged(tmp_path, g.right_abort, load)
    assert found.verdict is not Verdict.FALSIFIED, found.sentence
