"""Which requests were faulted is worked out from the plan; a real gateway under load agrees, request by request."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.request import urlopen

import pytest
from support.gateway import Gateway
from support.ids import first_ids
from support.load import plan, run
from support.mesh import rules_of, virtual_service
from support.origin import Asked, Origin, ok

from chaos.journal.replay import faulted_requests, requests_in

RULES = virtual_service("""
- match: [{headers: {end-user: {exact: jason}}}]
  route: [{destination: {host: web}}]
- match: [{uri: {prefix: /cart}}]
  fault: {abort: {percentage: {value: 30}, httpStatus: 503}, delay: {percentage: {value: 20}, fixedDelay: 1ms}}
  route: [{destination: {host: web}}]
""")
TASKS = [
    {"name": "cart", "method": "POST", "url": "http://web/cart?a=b", "body": "x", "weight": 3},
    {"name": "home", "method": "GET", "url": "http://web/home"},
    {"name": "jason", "method": "GET", "url": "http://web/cart", "headers": {"End-User": "jason"}},
]


def load_plan(gateway: str, **more: Any) -> dict[str, Any]:
    return plan(gateway, tasks=TASKS, seed=11, **more)


def test_only_requests_of_faulty_rules_are_faulted_and_the_shares_are_right() -> None:
    """2000 draws: within 5 standard deviations of 30 % aborts and 20 % delays."""
    found = list(faulted_requests(load_plan("http://127.0.0.1:1"), rules_of(RULES), range(2000)))
    ids = first_ids(11, 2000)
    assert {each.task for each in found} == {"cart"}
    assert {each.rule for each in found} == {"virtualservice/default/web/1"}
    assert {each.id for each in found} < set(ids)
    carts = 2000 * 3 / 5
    for kind, share in (("abort", 0.3), ("delay", 0.2)):
        count = sum(kind in each.fault.split(",") for each in found)
        assert abs(count - carts * share) < 5 * (carts * share) ** 0.5


def test_requests_that_are_fed_from_rows_meet_the_rule_of_their_row() -> None:
    """Of three rows one has a path with faults; the number of a request says which row it has."""
    load = load_plan("http://127.0.0.1:1") | {
        "feeder": {"columns": ["path"], "rows": [["home"], ["cart"], ["about"]], "order": "sequential"}
    }
    target = {"pieces": ["/", {"name": "path", "default": ""}], "quoting": "url"}
    load["tasks"] = [TASKS[1] | {"fed": {"target": target, "headers": {}, "body": None}}]
    found = list(faulted_requests(load, rules_of(RULES), range(600)))
    assert len(found) > 50 and {each.number % 3 for each in found} == {1}
    ids = first_ids(11, 600)
    assert all(ids[each.number] == each.id for each in found)


def test_directly_sent_requests_are_left_out() -> None:
    load = load_plan("http://127.0.0.1:1")
    load["tasks"] = [task | {"direct": True} for task in TASKS]
    assert list(faulted_requests(load, rules_of(RULES), range(100))) == []
    assert list(requests_in(load, range(100), direct=True)) == first_ids(11, 100)
    assert requests_in(load, range(100), direct=False) == {}


async def fine(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(ok(asked))


@pytest.mark.slow
async def test_a_gateway_under_load_faulted_exactly_these_and_does_it_again() -> None:
    """Whatever the concurrency and the number of workers; and a replay to a fresh gateway aborts every aborted one."""
    with Origin(fine) as origin:
        experiment = (
            "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n  services:\n"
            f"    web: {{endpoints: [{{address: '127.0.0.1:{origin.port}'}}]}}\n" + RULES
        )
        async with Gateway(experiment, "--admin", "127.0.0.1:0", "--seed", "11", "--workers", "2") as gateway:
            url = f"http://127.0.0.1:{gateway.port}"
            first = await asyncio.to_thread(run, load_plan(url, requests=400, users=8))
            faulted = await asyncio.to_thread(ask, f"{gateway.admin}/faulted?after=0")
            wanted = list(faulted_requests(load_plan(url), rules_of(RULES), range(400)))
            assert {(each.id, each.fault) for each in wanted} == {(row["id"], row["fault"]) for row in faulted}
        async with Gateway(experiment, "--admin", "127.0.0.1:0", "--seed", "11") as gateway:
            url = f"http://127.0.0.1:{gateway.port}"
            aborted = [[each.task, each.id, each.number] for each in wanted if "abort" in each.fault]
            again = await asyncio.to_thread(run, load_plan(url, replay=aborted))
    outcomes = dict(again.digest().items())
    assert first.lines[-1]["requests"] == 400
    assert sum(tally.count for tally in outcomes.values()) == len(aborted) > 0
    assert {(key.status, "abort" in key.fault) for key in outcomes} == {(503, True)}


def ask(url: str) -> list[dict[str, Any]]:
    with urlopen(url, timeout=10) as response:
        answer: dict[str, Any] = json.load(response)
    rows: list[dict[str, Any]] = answer["faulted"]
    return rows
