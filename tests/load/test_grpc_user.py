"""gRPC calls of the load: ids, statuses, tags and failures, beside HTTP requests of the same users."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.ids import first_ids
from support.load import Load, plan, run
from support.origin import Asked, Origin, ok
from support.ports import held_port

from chaos.protocol.digest import Key
from chaos.statuses import of_grpc

pytestmark = pytest.mark.slow
pytest.importorskip("grpc_tools")
pytest.importorskip("grpc_reflection")

import grpc  # noqa: E402
from support.grpc_server import GrpcServer, call  # noqa: E402 - needs grpcio


def say(text: str, **more: Any) -> dict[str, Any]:
    """A task that says a text."""
    return {
        "name": text,
        "method": "POST",
        "url": "http://echo:50051/shop.Echo/Say",
        "headers": {"content-type": "application/grpc", "te": "trailers", "X-Who": "ada", "x-key-bin": "AAE="},
        "body": f'{{"text": "{text}"}}',
        "call": call(),
    } | more


def outcomes(load: Load) -> dict[str, Counter[Key]]:
    found: dict[str, Counter[Key]] = {}
    for key, tally in load.digest().tallies.items():
        found.setdefault(key.task, Counter())[key] += tally.count
    return found


@pytest.fixture(scope="module")
def once() -> tuple[Load, GrpcServer]:
    """One load of calls that end in different ways, by two users."""
    right = {"status": [of_grpc(0)], "json": {"text": "hi"}}
    tasks = [
        say("hi", expect=right),
        say("other", expect=right),
        say("aborted"),
        say("bare", expect={"status": [of_grpc(14)]}),
    ]
    with GrpcServer() as server:
        return run(plan(server.url, tasks=tasks, users=2, requests=60)), server


@pytest.mark.representative
def test_calls_are_counted_with_the_status_of_grpc_and_their_tags(once: tuple[Load, GrpcServer]) -> None:
    """Initial metadata and trailers are read alike; two users are two connections. A message is compared as JSON, its
    unset fields included."""
    load, server = once
    found = outcomes(load)
    assert set(found["hi"]) == {Key("", "hi", "echo[0]", "", of_grpc(0), check="passed")}
    assert set(found["other"]) == {Key("", "other", "echo[0]", "", of_grpc(0), check="json")}
    assert set(found["aborted"]) == {Key("", "aborted", "echo[0]", "", of_grpc(14), "abort")}
    assert set(found["bare"]) == {Key("", "bare", "", "", of_grpc(14), check="passed")}
    assert sum(map(Counter.total, found.values())) == 60 and load.lines[-1]["errors"] == {}
    heads = [metadata for metadata, _ in server.asked]
    assert {each["x-request-id"] for each in heads} == set(first_ids(7, 60)) and len(server.peers) == 2
    assert {(each["x-who"], each["x-key-bin"]) for each in heads} == {("ada", b"\0\1")}


def test_single_calls_are_kept_with_their_message_and_reason(once: tuple[Load, GrpcServer]) -> None:
    load, _ = once
    kept = [each for line in load.lines if line["type"] == "exemplars" for each in line["requests"]]
    assert {(each["task"], each["body"], each["reason"]) for each in kept} >= {
        ("other", '{"text": "other"}', ""),
        ("aborted", "", "fault filter abort"),
    }


def test_calls_and_requests_stand_side_by_side_in_one_load() -> None:
    """A direct task goes to its own address; Locust's client counts what the lean one does."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(asked))

    with GrpcServer() as server, Origin(answer) as origin:
        direct = say("hi", url=f"{server.url}/shop.Echo/Say", direct=True)
        home = {"name": "home", "method": "GET", "url": "http://web/"}
        load = run(plan(origin.url, tasks=[direct, home], requests=40, client="locust"))
    counts = {task: found.total() for task, found in outcomes(load).items()}
    assert counts == {"hi": len(server.asked), "home": len(origin.asked)} and sum(counts.values()) == 40


def test_a_call_without_a_response_is_lost_and_its_kind_is_told() -> None:
    with GrpcServer() as server, held_port() as port:
        nobody = say("hi", url=f"http://127.0.0.1:{port}/shop.Echo/Say", direct=True)
        load = run(plan(server.url, tasks=[say("late", timeout=0.2), nobody], users=2, requests=8))
    assert {task: set(found) for task, found in outcomes(load).items()} == {
        "late": {Key("", "late", "", "", 0, error="timeout")},
        "hi": {Key("", "hi", "", "", 0, error="refused")},
    }


def test_an_abort_of_a_gateway_without_tags_is_known_by_its_message() -> None:
    with GrpcServer() as server:
        load = run(plan(server.url, tasks=[say("aborted"), say("bare")], requests=20, tags=False))
    faults = {task: {key.fault for key in found} for task, found in outcomes(load).items()}
    assert faults == {"aborted": {"abort"}, "bare": {""}}


def test_more_users_than_grpcio_has_threads_do_not_wait_for_one_another() -> None:
    """Gevent's pool has ten threads, in one of which each call waits: all twelve users have theirs at the same time."""
    with GrpcServer() as server, Load(plan(server.url, tasks=[say("late")], users=12, requests=12)) as load:
        load.until_type("ready")
        assert server.wait_for(12)
        server.over.set()
        load.finish()
    assert outcomes(load)["late"].total() == 12


def test_users_that_are_stopped_during_a_call_abandon_it() -> None:
    with GrpcServer() as server, Load(plan(server.url, tasks=[say("late")], users=3)) as load:
        load.until_type("ready")
        assert server.wait_for(3)
        load.send({"command": "stop", "drain": 0.0})
        load.finish()
    assert load.lines[-1]["abandoned"] == 3 and load.stderr == ""


def test_rows_of_a_feeder_make_messages() -> None:
    body = {"pieces": ['{"text": "', {"name": "who", "default": ""}, '"}'], "quoting": "json"}
    task = say("hi", fed={"target": None, "headers": {}, "body": body})
    feeder = {"columns": ["who"], "rows": [["ada"], ["bo"]], "order": "sequential"}
    with GrpcServer() as server:
        run(plan(server.url, tasks=[task], feeder=feeder, requests=10))
    assert Counter(text for _, text in server.asked) == {"ada": 5, "bo": 5}


def test_calls_over_tls_know_the_server_by_its_name_and_certificate(tmp_path: Path) -> None:
    """They go to the HTTPS listener; server name and authority are those of the URL."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("echo")
    pair = (issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes())
    tasks = [say("hi", url="https://echo:50051/shop.Echo/Say"), say("hi", name="other", url="https://other/s.E/S")]
    with GrpcServer(credentials=grpc.ssl_server_credentials([pair])) as server:
        door = {"secure": server.url.replace("http:", "https:"), "ca": str(tmp_path / "ca.pem")}
        load = run(plan("http://127.0.0.1:9", tasks=tasks, users=2, requests=12, **door))
    found = {task: {(key.status, key.error) for key in each} for task, each in outcomes(load).items()}
    assert found == {"hi": {(of_grpc(0), "")}, "other": {(0, "refused")}}


async def test_a_connection_may_take_longer_than_the_next_one_is_waited_for() -> None:
    """A gateway that is slow to say its first word over HTTP/2, or to shake hands over TLS, is not one that refuses."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.4)
        behind, onward = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(passed_on(reader, onward), passed_on(behind, writer))

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(65536):
            writer.write(octets)
        writer.close()

    with GrpcServer() as server:
        slow = await asyncio.start_server(relay, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{slow.sockets[0].getsockname()[1]}"
        load = await asyncio.to_thread(run, plan(url, tasks=[say("hi")], users=2, requests=6))
        slow.close()
    assert {key.status for key in outcomes(load)["hi"]} == {of_grpc(0)}
