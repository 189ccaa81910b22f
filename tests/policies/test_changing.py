"""Responses whose head or body is changed on the way: what three clients get, and the connection goes on."""

from __future__ import annotations

import gzip

import pytest
from support.mesh import virtual_service
from support.policies import policy, rules
from support.scripted import always, gateway, get, upstream
from support.three_clients import CLIENTS, Outcome

ROUTE = virtual_service("- route: [{destination: {host: web}}]")
BODY = bytes(range(256)) * 4
LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length: 1024\r\nx-a: 1\r\nx-b: 2\r\n\r\n" + BODY
CHUNKS = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-a: 1\r\nx-b: 2\r\n\r\n"
    b"3e8\r\n" + BODY[:1000] + b"\r\n18\r\n" + BODY[1000:] + b"\r\n0\r\n\r\n"
)
NO_BODY = b"HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n"
PATCH = "{patch: {headers: {set: {X-A: '9', x-new: '7'}, add: {x-b: '3'}, remove: [X-Gone]}, body: 'höre'}}"


def changes(body: bytes) -> list[int]:
    return [place for place, (old, new) in enumerate(zip(BODY, body, strict=True)) if old != new]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("answer", [LENGTH, CHUNKS])
async def test_so_many_bytes_are_changed_and_no_others(client: str, answer: bytes):
    written = policy("{corrupt: {bytes: 20}}")
    async with upstream(always(answer)) as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        got = await CLIENTS[client](proxy.port)
    assert (got.status, got.error) == (200, "") and len(changes(got.body)) == 20


async def test_where_they_are_follows_from_seed_and_request():
    written = policy("{corrupt: {bytes: 3}}")
    places = []
    for _ in range(2):
        async with upstream(always(LENGTH)) as web, gateway(rules(ROUTE, written, port=web.port), seed=5) as proxy:
            client = await proxy.open()
            places.append([changes((await client.ask(get("/", f"x-request-id: {n}"))).body) for n in range(30)])
    assert places[0] == places[1]
    assert all(len(each) == 3 for each in places[0])
    assert len({place for each in places[0] for place in each}) > 60  # all over the body


async def test_of_a_body_in_chunks_it_is_the_first_bytes():
    written = policy("{corrupt: {bytes: 3}}")
    async with upstream(always(CHUNKS)) as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        assert changes((await proxy.ask(get())).body) == [0, 1, 2]


@pytest.mark.parametrize(
    "framing", [b"content-length: 2\r\n\r\nok", b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"]
)
async def test_a_shorter_body_is_changed_altogether(framing: bytes):
    written = policy("{corrupt: {bytes: 1024}}")
    async with (
        upstream(always(b"HTTP/1.1 200 OK\r\n" + framing)) as web,
        gateway(rules(ROUTE, written, port=web.port)) as proxy,
    ):
        client = await proxy.open()
        for _ in range(2):  # the connection goes on
            answer = await client.ask(get())
            assert len(answer.body) == 2 and answer.body[0] != ord("o") and answer.body[1] != ord("k")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("answer", [LENGTH, CHUNKS])
async def test_a_body_is_replaced(client: str, answer: bytes):
    async with upstream(always(answer)) as web, gateway(rules(ROUTE, policy(PATCH), port=web.port)) as proxy:
        assert await CLIENTS[client](proxy.port) == Outcome(200, "höre".encode())
        assert await CLIENTS[client](proxy.port, "HEAD") == Outcome(200, b"")


@pytest.mark.parametrize("answer", [LENGTH, CHUNKS])
async def test_headers_are_removed_set_and_added(answer: bytes):
    answer = answer.replace(b"\r\n", b"\r\nx-gone: 1\r\n", 1)
    async with upstream(always(answer)) as web, gateway(rules(ROUTE, policy(PATCH), port=web.port)) as proxy:
        client = await proxy.open()
        for method, body in (("GET", "höre".encode()), ("GET", "höre".encode())):
            got = await client.ask(get(method=method))
            assert (got.values("x-a"), got.values("x-b"), got.values("x-new")) == (["9"], ["2", "3"], ["7"])
            assert got.values("x-gone") == got.values("transfer-encoding") == []
            assert (got.values("content-length"), got.values("x-chaos-policy"), got.body) == (["5"], ["p"], body)


@pytest.mark.parametrize(("answer", "length"), [(NO_BODY, []), (NOT_MODIFIED, ["10"])])
async def test_what_has_no_body_gets_none(answer: bytes, length: list[str]):
    async with upstream(always(answer)) as web, gateway(rules(ROUTE, policy(PATCH), port=web.port)) as proxy:
        client = await proxy.open()
        for _ in range(2):
            got = await client.ask(get())
            assert (got.status, got.values("content-length")) == (int(answer[9:12]), length)
            assert (got.values("x-a"), got.body) == (["9"], b"")


async def test_a_response_without_a_body_gets_one():
    empty = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    async with (
        upstream(always(empty)) as web,
        gateway(rules(ROUTE, policy("{patch: {body: a}}"), port=web.port)) as proxy,
    ):
        client = await proxy.open()
        for _ in range(2):
            assert (await client.ask(get())).body == b"a"
    async with (
        upstream(always(LENGTH)) as web,
        gateway(rules(ROUTE, policy("{patch: {body: ''}}"), port=web.port)) as proxy,
    ):
        got = await proxy.ask(get())
        assert (got.values("content-length"), got.body) == (["0"], b"")


async def test_a_text_is_not_compressed():
    packed = gzip.compress(b"text")
    answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed
    async with (
        upstream(always(answer)) as web,
        gateway(rules(ROUTE, policy("{patch: {body: a}}"), port=web.port)) as proxy,
    ):
        got = await proxy.ask(get())
        assert (got.values("content-encoding"), got.body) == ([], b"a")


async def test_one_after_another_in_their_order():
    """What the first has made of a response is what the second gets."""
    patch, cut = policy("{patch: {body: abcdef}}", name="a"), policy("{truncate: {share: 50}}", name="b")
    for order, body in (((patch, cut), b"abc"), ((cut, patch), b"")):
        async with upstream(always(CHUNKS)) as web, gateway(rules(ROUTE, *order, port=web.port)) as proxy:
            assert await CLIENTS["ours"](proxy.port) == Outcome(200, body, "closed")
