"""What a task expects of its responses is checked, by both clients, and counted beside the statuses."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from support.load import plan, run
from support.origin import Asked, Origin, ok

from chaos.load.checks import check_of
from chaos.load.connection import FIRST, Connection, resolve

ORDER = b'{"id": 7, "items": [{"name": "tea", "count": 2}], "paid": true, "note": null}'


@pytest.mark.parametrize(
    ("expect", "status", "body", "check"),
    [
        ({"status": [200]}, 200, b"", "passed"),
        ({"status": [200, "4xx"]}, 404, b"", "passed"),
        ({"status": ["2xx"]}, 503, b"", "status"),
        ({"body": "tea"}, 500, ORDER, "passed"),
        ({"body": "t.a"}, 200, ORDER, "body"),
        ({"body": r"/\bt.a\b/"}, 200, ORDER, "passed"),
        ({"body": "/^tea/"}, 200, ORDER, "body"),
        ({"body": "/"}, 200, b"a/b", "passed"),
        ({"body": "ä"}, 200, "ä".encode(), "passed"),
        ({"body": "/^.$/"}, 200, "ä".encode("latin-1"), "passed"),  # octets, whatever they mean
        ({"json": {"id": 7}}, 200, ORDER, "passed"),
        ({"json": {"items": [{"name": "tea"}], "paid": True}}, 200, ORDER, "passed"),
        ({"json": {"items": []}}, 200, ORDER, "json"),
        ({"json": {"paid": 1}}, 200, ORDER, "json"),
        ({"json": {"note": None}}, 200, ORDER, "passed"),
        ({"json": {"absent": None}}, 200, ORDER, "json"),
        ({"json": {"id": 7.0}}, 200, ORDER, "passed"),
        ({"json": None}, 200, b"null", "passed"),
        ({"json": {}}, 200, b"<html>", "json"),
        ({"json": {}}, 200, b"[" * 100_000, "json"),
        ({"json": {}}, 200, b"\xff", "json"),
        ({"status": [201], "body": "x", "json": {}}, 200, b"", "status"),
    ],
)
def test_the_first_part_that_is_not_met_is_named(expect: dict[str, Any], status: int, body: bytes, check: str) -> None:
    found = check_of(expect)
    assert found is not None and found(status, body) == check


def test_a_task_that_expects_nothing_has_no_check() -> None:
    assert check_of(None) is None


BIG = b"x" * 200_000 + b"end"


async def stock(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Answers in each way of framing; a third of the orders are empty, whose status says nothing of it."""
    number = int(asked.headers["x-request-id"][:8], 16)
    if asked.target == "/order":
        items = b'{"items": []}' if number % 3 == 0 else b'{"items": [1]}'
        writer.write(ok(asked, body=items, headers="x-chaos-route: r\r\n"))
    elif asked.target == "/chunked":
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in (b"part one, ", b"part two"):
            await asyncio.sleep(0)
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    elif asked.target == "/close":
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nuntil " + BIG)
        writer.close()
    elif asked.target == "/gone":
        writer.close()
    else:
        writer.write(ok(asked, body=BIG))


def task(name: str, **expect: Any) -> dict[str, Any]:
    return {"name": name, "method": "GET", "url": f"http://web/{name}", **({"expect": expect} if expect else {})}


TASKS = [
    task("order", status=[200], json={"items": [1]}),
    task("chunked", body="one, part two"),
    task("close", body="/end$/"),
    task("gone", status=[200]),
    task("big", body="end"),
    task("plain"),
]


@pytest.mark.slow
@pytest.mark.parametrize("client", ["lean", "locust"])
@pytest.mark.parametrize("tags", [True, False])
def test_failed_checks_are_counted_whatever_the_status(client: str, tags: bool) -> None:
    with Origin(stock) as origin:
        load = run(plan(origin.url, tasks=TASKS, requests=400, client=client, tags=tags))
    sent = {each.headers["x-request-id"]: each.target[1:] for each in origin.asked}  # Locust's client tries some again
    empty = sum(int(number[:8], 16) % 3 == 0 for number, target in sent.items() if target == "order")
    asked = Counter(sent.values())
    found = {(key.task, key.status, key.check): tally.count for key, tally in load.digest().items()}
    assert found == {
        ("order", 200, "json"): empty,
        ("order", 200, "passed"): asked["order"] - empty,
        ("chunked", 200, "passed"): asked["chunked"],
        ("close", 200, "passed"): asked["close"],
        ("gone", 0, "response"): asked["gone"],
        ("big", 200, "passed"): asked["big"],
        ("plain", 200, ""): asked["plain"],
    }


def test_only_a_body_that_is_asked_for_is_kept() -> None:
    async def big(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(asked, body=BIG))

    with Origin(big) as origin:
        connection = Connection(resolve("127.0.0.1", origin.port))
        request = b"GET / HTTP/1.1\r\nhost: web\r\n\r\n"
        assert len(connection.exchange(request, False, 0.0, 5.0)[2]) == FIRST
        connection.first = len(BIG)
        assert connection.exchange(request, False, 0.0, 5.0)[2] == BIG
        connection.close()
