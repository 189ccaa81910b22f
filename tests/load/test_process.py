"""A load process sends what its plan says, tells what came back, and obeys."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from support.ids import first_ids
from support.load import Load, plan, run
from support.origin import Asked, Origin, ok

from chaos.journal.identity import sampled
from chaos.load.recorder import TRANSITION
from chaos.protocol.digest import Key
from chaos.protocol.parts import BLOCK, Drawn

pytestmark = pytest.mark.slow

TAGS = "x-chaos-route: web[0]\r\nx-chaos-destination: web:80\r\n"


async def tagged(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Like the gateway: every third answer is an abort."""
    if int(asked.headers["x-request-id"][:8], 16) % 3 == 0:
        writer.write(ok(asked, status="503 x", headers="x-chaos-route: web[0]\r\nx-chaos-fault: abort\r\n"))
    else:
        writer.write(ok(asked, headers=TAGS))


@pytest.mark.representative
def test_exactly_the_requests_asked_for_are_sent() -> None:
    with Origin(tagged) as origin:
        load = run(plan(origin.url, requests=301))
    done = load.lines[-1]
    assert (done["type"], done["reason"], done["requests"], done["errors"]) == ("done", "requests", 301, {})
    assert sorted(origin.ids) == sorted(first_ids(7, 301))
    assert origin.connections == 4
    assert load.code == 0
    assert load.stderr == ""
    asked = origin.asked[0]
    assert (asked.method, asked.target, asked.headers["host"]) == ("GET", "/home", "webserver")


TWO_TASKS = [
    {"name": "home", "method": "GET", "url": "http://webserver/home", "weight": 2},
    {"name": "cart", "method": "POST", "url": "http://cart:8080/add?x=1", "body": "täglich"},
]


def sent_and_seen(**more: Any) -> tuple[set[tuple[str, str, str, str, bytes]], dict[Key, int]]:
    """The requests of a run, and the outcomes that it told."""
    with Origin(tagged) as origin:
        load = run(plan(origin.url, tasks=TWO_TASKS, requests=200, **more))
    assert len(origin.asked) == 200
    assert load.code == 0
    sent = {
        (each.headers["x-request-id"], each.method, each.target, each.headers["host"], each.body)
        for each in origin.asked
    }
    return sent, {key: tally.count for key, tally in load.digest().items()}


@pytest.fixture(scope="module")
def once() -> tuple[set[tuple[str, str, str, str, bytes]], dict[Key, int]]:
    return sent_and_seen()


@pytest.mark.parametrize("more", [{"users": 9}, {"processes": 2, "users": 3}, {"client": "locust"}], ids=str)
def test_the_same_plan_repeats_the_same_requests(once: Any, more: dict[str, Any]) -> None:
    """With any number of users and processes and with either client: the same ids, tasks and outcomes."""
    sent, seen = sent_and_seen(**more)
    assert (sent, seen) == once
    assert len(sent) == 200
    assert len(seen) == 4


def test_another_seed_sends_other_ids() -> None:
    with Origin(tagged) as origin:
        run(plan(origin.url, requests=20, seed=8))
    assert not set(origin.ids) & set(first_ids(7, 20))


def test_digests_come_every_interval_and_add_up() -> None:
    with Origin(tagged) as origin:
        load = run(plan(origin.url, duration=1.0, interval=0.25))
    digests = [line for line in load.lines if line["type"] == "digest"]
    assert 4 <= len(digests) <= 6
    for before, after in pairwise(digests):
        assert after["second"] == pytest.approx(before["second"] + before["seconds"], abs=0.002)
    assert all(each["users"] == 4 for each in digests[:-1])
    assert all(each["cpu"] > 0 for each in digests[:-1])
    assert load.lines[-1]["reason"] == "duration"
    assert load.lines[-1]["requests"] == load.digest().count == len(origin.asked) - load.lines[-1]["abandoned"]
    assert 1.0 <= load.lines[-1]["seconds"] < 2.0


@pytest.mark.representative
def test_outcomes_have_the_gateways_tags_and_neighbours_are_paired() -> None:
    with Origin(tagged) as origin:
        digest = run(plan(origin.url, requests=300)).digest()
    aborted = sum(int(each[:8], 16) % 3 == 0 for each in first_ids(7, 300))
    assert {key: tally.count for key, tally in digest.items()} == {
        Key("", "home", "web[0]", "web:80", 200): 300 - aborted,
        Key("", "home", "web[0]", "", 503, "abort"): aborted,
    }
    assert sum(digest.pairs["", "home", "web[0]", "abort"]) == 300 - origin.connections
    assert sum(sum(users.values()) for users in digest.parts.users.values()) == 300
    assert sum(digest.parts.of_blocks(Drawn("", "web[0]", "abort")).values()) == 300 // BLOCK


FAILING = ["refused", "reset", "closed", "cut", "timeout", "malformed"]


async def failing(asked: Asked, writer: asyncio.StreamWriter) -> None:
    match asked.target:
        case "/reset":
            writer.get_extra_info("socket").setsockopt(1, 13, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # SO_LINGER 0
            writer.transport.abort()
        case "/closed":
            writer.close()
        case "/cut":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            await writer.drain()
            writer.close()
        case "/malformed":
            writer.write(b"HTTQ/9 what\r\n\r\n")
            await writer.drain()
            writer.close()
        case "/timeout":
            pass
        case _:
            writer.write(ok(asked))


@pytest.mark.parametrize("client", ["lean", "locust"])
def test_requests_without_an_answer_have_status_0_and_a_reason(client: str) -> None:
    with Origin(failing) as origin:
        tasks = [
            {"name": kind, "method": "GET", "url": f"{origin.url}/{kind}", "direct": True, "timeout": 0.2}
            for kind in FAILING
        ]
        tasks[0]["url"] = "http://127.0.0.1:1/"
        load = run(plan("http://127.0.0.1:1", tasks=tasks, requests=40, client=client))
    found = {(key.task, key.error, key.status) for key, _ in load.digest().items()}
    assert found == {(kind, "closed" if kind == "cut" else kind, 0) for kind in FAILING}
    assert sum(load.lines[-1]["errors"].values()) == 40
    assert sum(sum(line["errors"].values()) for line in load.lines if line["type"] == "digest") == 40


def test_tasks_may_go_to_an_application_directly() -> None:
    with Origin(tagged) as gateway, Origin(tagged) as application:
        tasks = [
            {"name": "app", "method": "GET", "url": f"{application.url}/shop?a=b", "direct": True},
            {"name": "mesh", "method": "GET", "url": "http://webserver:8080", "headers": {"x-user": "jason"}},
        ]
        load = run(plan(gateway.url, tasks=tasks, requests=60))
    assert load.lines[-1]["requests"] == 60
    assert {(each.target, each.headers["host"]) for each in application.asked} == {
        ("/shop?a=b", f"127.0.0.1:{application.port}")
    }
    assert {(each.target, each.headers["host"], each.headers["x-user"]) for each in gateway.asked} == {
        ("/", "webserver:8080", "jason")
    }


def test_phases_come_from_tags_or_from_commands() -> None:
    async def half_tagged(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(asked, headers="x-chaos-phase: told\r\n" if asked.target == "/home" else ""))

    tasks = [
        {"name": name, "method": "GET", "url": f"http://webserver/{name}"} for name in ("home", "plain")
    ]  # fmt: skip
    with Origin(half_tagged) as origin, Load(plan(origin.url, tasks=tasks, interval=0.05, phase="first")) as load:
        seen: Counter[str] = Counter()

        def both_in(phase: str) -> None:
            def told(line: dict[str, Any]) -> bool:
                if line["type"] == "digest":
                    seen.update({f"{e['task']} {e['phase']}": e["count"] for e in line["entries"]})
                return bool(seen[f"plain {phase}"])

            load.until(told)

        both_in("first")
        load.send({"command": "phase", "name": "second"})
        both_in("second")
        load.send({"command": "stop"})
        load.finish()
    phases = {(key.task, key.phase) for key, _ in load.digest().items()}
    assert phases - {("plain", TRANSITION)} == {("home", "told"), ("plain", "first"), ("plain", "second")}


@pytest.mark.parametrize("client", ["lean", "locust"])
def test_an_open_model_sends_on_time_and_counts_from_when_requests_were_due(client: str) -> None:
    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(ok(asked))

    with Origin(slow) as origin:
        too_few = run(plan(origin.url, users=1, requests=20, arrival_rate=100.0, client=client))
    tally = next(iter(too_few.digest().tallies.values()))
    assert tally.due is not None
    assert tally.due.total == 20
    assert tally.due.quantile(0.95) > 10 * 0.04  # the last ones waited for all before them: 20 * (50 - 10) ms
    assert tally.latency.quantile(0.5) < 0.2
    assert too_few.lines[-1]["late"] > 10


def test_an_open_model_with_idle_users_keeps_its_rate() -> None:
    with Origin(tagged) as origin:
        done = run(plan(origin.url, users=20, requests=40, arrival_rate=100.0)).lines[-1]
    assert done["seconds"] >= 0.39
    assert done["requests"] == 40


def test_whole_cohorts_are_told_so_that_delayed_requests_are_missing_from_no_count() -> None:
    """What was told at any moment is exactly the first requests of the run, the delayed ones among them."""

    def is_delayed(request: str) -> bool:
        return request < "8"

    async def delaying(asked: Asked, writer: asyncio.StreamWriter) -> None:
        delayed = is_delayed(asked.headers["x-request-id"])
        await asyncio.sleep(0.25 if delayed else 0.02)
        writer.write(ok(asked, headers="x-chaos-fault: delay\r\n" if delayed else ""))

    with Origin(delaying) as origin:
        load = run(plan(origin.url, users=12, requests=150, interval=0.05, hold=5.0))
    delayed = [is_delayed(each) for each in first_ids(7, 150)]
    seen: Counter[str] = Counter()
    prefixes = 0
    for line in load.lines:
        for entry in line.get("entries", ()):
            seen[entry["fault"]] += entry["count"]
        assert seen["delay"] == sum(delayed[: seen.total()])
        prefixes += 0 < seen.total() < 150
    assert seen.total() == 150
    assert prefixes > 5


def test_without_tags_an_abort_is_known_by_its_body() -> None:
    async def envoy(asked: Asked, writer: asyncio.StreamWriter) -> None:
        aborted = asked.headers["x-request-id"] < "8"
        writer.write(ok(asked, status="503 x", body=b"fault filter abort") if aborted else ok(asked, status="503 x"))

    for client in ("lean", "locust"):
        with Origin(envoy) as origin:
            digest = run(plan(origin.url, requests=50, tags=False, client=client)).digest()
        aborted = sum(each < "8" for each in first_ids(7, 50))
        assert {key.fault: tally.count for key, tally in digest.items()} == {"abort": aborted, "": 50 - aborted}


@pytest.mark.parametrize("client", ["lean", "locust"])
def test_without_tags_and_a_body_the_head_tells_an_abort_if_it_is_envoys(client: str) -> None:
    async def envoy(asked: Asked, writer: asyncio.StreamWriter) -> None:
        first = asked.headers["x-request-id"][0]
        mine = "content-type: text/plain\r\nserver: envoy\r\ncontent-length: 18"
        theirs = "content-type: text/plain\r\nserver: envoy\r\nx-envoy-upstream-service-time: 1\r\ncontent-length: 18"
        head = mine if first < "6" else theirs if first < "b" else "server: nginx"
        writer.write(f"HTTP/1.1 503 x\r\n{head}\r\n\r\n".encode())

    with Origin(envoy) as origin:
        task = {"name": "home", "method": "HEAD", "url": "http://webserver/home"}
        digest = run(plan(origin.url, tasks=[task], requests=60, tags=False, client=client)).digest()
    kinds = Counter("abort" if each < "6" else "" if each < "b" else "unclear" for each in first_ids(7, 60))
    assert {key.fault: tally.count for key, tally in digest.items()} == kinds


def test_sampled_outcomes_are_told_one_by_one() -> None:
    with Origin(tagged) as origin:
        load = run(plan(origin.url, requests=400, sample=0.2))
    rows = [row for line in load.lines if line["type"] == "sample" for row in line["requests"]]
    assert sorted(row[0] for row in rows) == sorted(each for each in first_ids(7, 400) if sampled(each, 0.2))
    for request, task, status, error, fault in rows:
        aborted = int(request[:8], 16) % 3 == 0
        assert (task, status, error, fault) == ("home", 503 if aborted else 200, "", "abort" if aborted else "")


def test_a_replay_sends_exactly_the_requests_named() -> None:
    wanted = [["home", each, number] for number, each in enumerate(first_ids(3, 30))][::2]
    with Origin(tagged) as origin:
        load = run(plan(origin.url, replay=wanted))
    assert sorted(origin.ids) == sorted(request for _, request, _ in wanted)
    assert load.lines[-1]["reason"] == "requests"


def test_users_can_be_added_and_taken_away() -> None:
    async def slowly(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.002)
        writer.write(ok(asked))

    with Origin(slowly) as origin, Load(plan(origin.url, users=2, interval=0.05)) as load:
        for count in (2, 9, 1):
            load.send({"command": "users", "count": count, "rate": 1000})
            load.until(lambda line, count=count: line.get("users") == count)  # type: ignore[misc]
        load.send({"command": "stop"})
        done = load.finish()
    assert done["requests"] + done["abandoned"] == len(origin.asked)
    assert origin.connections >= 9


def test_stopping_waits_for_answers_as_long_as_told() -> None:
    """What is still out after the drain is abandoned, and said to be."""

    async def mixed(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3 if asked.target == "/home" else 60)
        writer.write(ok(asked))

    tasks = [{"name": name, "method": "GET", "url": f"http://webserver/{name}"} for name in ("home", "never")]
    with Origin(mixed) as origin, Load(plan(origin.url, tasks=tasks, users=6, interval=0.05)) as load:
        load.until(lambda line: len(origin.asked) == 6)
        load.send({"command": "stop", "drain": 1.2})
        done = load.finish()
    homes = sum(each.target == "/home" for each in origin.asked)
    assert (done["reason"], done["requests"], done["abandoned"]) == ("stop", homes, 6 - homes)
    assert len(origin.asked) == 6


def test_a_rest_between_requests_is_kept() -> None:
    with Origin(tagged) as origin:
        done = run(plan(origin.url, users=1, requests=4, wait=0.1)).lines[-1]
    assert done["seconds"] >= 0.3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "the plan is not JSON"),
        (json.dumps(plan("http://127.0.0.1:1", client="curl")), "'curl' is not one of lean, locust"),
        (json.dumps(plan("http://no-such-host.invalid:1")), "no-such-host.invalid"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_one_line_and_exit_code_2(text: str, reason: str) -> None:
    load = run(text)
    assert [line["type"] for line in load.lines] == ["error"]
    assert reason in load.lines[0]["reason"]
    assert load.code == 2
    assert load.stderr == ""
