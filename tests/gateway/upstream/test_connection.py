"""Connections to endpoints: how answers end, what passes, when a connection is used again, and when a request is sent
again."""

from __future__ import annotations

import asyncio

import pytest
from support.clock import Clock
from support.decisions import cluster, retrying, to
from support.scripted import OK, InProcess, Peer, Server, always, chunked, gateway, get, in_turn, post, until, upstream

from chaos.gateway.upstream.connection import Upstream
from chaos.mesh.decision import Failure


async def test_head_has_the_headers_of_get_and_no_body() -> None:
    """llhttp would wait for the body that the length promises; the connection serves on."""

    async def answer(peer: Peer) -> None:
        while True:
            await peer.request()
            head = peer.server.heads[-1]
            await peer.send(OK[:-2] if head.startswith(b"HEAD") else OK)

    async with upstream(answer) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        for _ in range(3):
            head = await client.ask(get(method="HEAD"))
            assert (head.status, head.first("content-length"), head.body) == (200, "2", b"")
            assert (await client.ask(get())).body == b"ok"
        assert web.connections == 1


BODILESS = [
    (b"HTTP/1.1 204 X\r\n\r\n", 204, {}),
    (b"HTTP/1.1 204 X\r\ncontent-length: 0\r\n\r\n", 204, {}),
    (b"HTTP/1.1 304 X\r\netag: a\r\n\r\n", 304, {"etag": "a"}),
    (b"HTTP/1.1 304 X\r\ncontent-length: 500\r\n\r\n", 304, {"content-length": "500"}),
]


@pytest.mark.parametrize(("text", "status", "headers"), BODILESS)
async def test_answers_without_a_body_pass_without_one(text: bytes, status: int, headers: dict[str, str]) -> None:
    async with upstream(always(text)) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        for _ in range(2):
            answer = await client.ask(get())
            assert answer.status == status
            kept = {k: v for k, v in answer.headers if k in ("etag", "content-length", "transfer-encoding")}
            assert kept == headers
        assert web.connections == 1


async def test_a_body_that_ends_with_the_connection_goes_out_in_chunks() -> None:
    arrived = asyncio.Event()

    async def until_close(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nfirst ")
        await arrived.wait()
        await peer.send(b"second")

    async with upstream(until_close) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        for _ in range(2):
            arrived.clear()
            client.writer.write(get())
            head = await client.reader.readuntil(b"\r\n\r\n6\r\nfirst \r\n")
            assert b"\r\ntransfer-encoding: chunked\r\n" in head.lower()
            arrived.set()
            assert await client.reader.readuntil(b"\r\n0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"
        assert web.connections == 2


async def test_an_empty_body_that_ends_with_the_connection() -> None:
    async def nothing(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")

    async with upstream(nothing) as web, gateway(to(cluster(web.port))) as proxy:
        answer = await proxy.ask(get())
        assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("piecemeal", [False, True])
async def test_chunks_of_an_answer_pass_and_its_trailers_are_dropped(piecemeal: bool) -> None:
    chunks = b"4\r\nwiki\r\n5;x=1\r\npedia\r\n0\r\nX-T: 1\r\n\r\n"
    text = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n" + chunks

    async def answer(peer: Peer) -> None:
        while True:
            await peer.request()
            for at in range(0, len(text), 7 if piecemeal else len(text)):
                await peer.send(text[at : at + 7] if piecemeal else text)
                await asyncio.sleep(0)  # a turn of the loop, for the piece to go out on its own

    async with upstream(answer) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        for _ in range(2):
            got = await client.ask(get())
            assert (got.first("transfer-encoding"), got.body, got.trailers) == ("chunked", b"wikipedia", [])
        assert web.connections == 1


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_000])
async def test_answers_of_any_size_arrive_unchanged_and_keep_the_connection(size: int) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    async with (
        upstream(always(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + body)) as web,
        gateway(to(cluster(web.port))) as proxy,
    ):
        client = await proxy.open()
        for _ in range(3):
            answer = await client.ask(get())
            assert (answer.body == body, answer.first("content-length")) == (True, str(size))
        assert web.connections == 1


@pytest.mark.parametrize("status", [100, 102, 103])
async def test_interim_answers_are_passed_on(status: int) -> None:
    passed = asyncio.Event()

    async def interim(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(b"HTTP/1.1 %d X\r\nlink: a\r\n\r\n" % status)
            await passed.wait()
            await peer.send(OK)

    async with upstream(interim) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        for _ in range(2):
            passed.clear()
            client.writer.write(get())
            assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 %d " % status)
            passed.set()
            answer = await client.answer()
            assert (answer.interim, answer.status, answer.body) == ([], 200, b"ok")


async def test_an_interim_answer_and_the_final_one_in_one_read() -> None:
    async with upstream(always(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)) as web, gateway(to(cluster(web.port))) as proxy:
        answer = await proxy.ask(get())
        assert (answer.interim, answer.status, answer.body) == ([100], 200, b"ok")


async def test_reason_phrases_are_envoys() -> None:
    funny = b"HTTP/1.1 299 Funny\r\ncontent-length: 0\r\n\r\n"
    async with upstream(always(funny)) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        assert await client.reader.readline() == b"HTTP/1.1 299 Unknown\r\n"


async def test_date_is_upstreams_or_ours_but_one() -> None:
    dated = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 2\r\n\r\nok"
    async with upstream(in_turn(dated, OK)) as web, gateway(to(cluster(web.port))) as proxy:
        assert (await proxy.ask(get())).values("date") == ["Sun, 06 Nov 1994 08:49:37 GMT"]
        assert len((await proxy.ask(get())).values("date")) == 1


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"more than was promised",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
    ],
    ids=["connection: close", "HTTP/1.0", "octets too many", "an answer too many"],
)
async def test_a_connection_that_cannot_serve_again_is_not_used_again(text: bytes) -> None:
    async with upstream(always(text)) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        for _ in range(2):
            answer = await client.ask(get())
            assert (answer.status, answer.body, answer.values("connection")) == (200, b"ok", [])
        assert web.connections == 2


async def test_octets_on_an_idle_connection_end_it() -> None:
    """They could otherwise become the answer to somebody's next request."""
    talk = asyncio.Event()

    async def chatty(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await talk.wait()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
        await peer.reader.read()

    async with upstream(chatty) as web, gateway(to(cluster(web.port))) as proxy:
        assert (await proxy.ask(get())).body == b"ok"
        talk.set()
        await until(lambda: web.closed)
        assert (await proxy.ask(get())).body == b"ok"


async def test_an_idle_connection_that_upstream_closed_is_not_used() -> None:
    async def once(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    async with upstream(once) as web, gateway(to(cluster(web.port))) as proxy:
        for n in range(1, 4):
            assert (await proxy.ask(get())).status == 200
            await until(lambda n=n: web.closed == n)


@pytest.mark.parametrize("data", [get(), post(b"hello"), chunked(b"hello")], ids=["GET", "POST", "chunked"])
async def test_a_request_that_met_a_dead_connection_is_sent_again_when_not_an_octet_was_taken(data: bytes) -> None:
    """Upstream closes its idle connection just as the next request goes out on it. The kernel tells that nothing was
    acknowledged, so even a POST is safe to send again; it counts as one try."""

    async with upstream(_first_connection_dies) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        assert (await client.ask(data)).status == 200
        connection = await _closed_unseen(proxy, web)
        client.writer.write(data)
        await until(lambda: connection.served == 2)
        connection.transport.resume_reading()
        answer = await client.answer()
        assert (answer.status, answer.body, answer.values("x-chaos-attempts")) == (200, b"ok", [])
        counts = proxy.counts()
        assert (counts["upstream_requests"], counts["tries"], counts["upstream_failures"]) == (2, {"1": 2}, 0)
        assert web.connections == 2


async def test_the_timer_of_a_request_that_met_a_dead_connection_ends_with_the_connection() -> None:
    """Left behind, it would answer the request a second time, and the client would take that for the next answer."""
    clock = Clock()
    retry = retrying(1, Failure.RESET, per_try_timeout=0.1)
    async with upstream(_first_connection_dies) as web:
        rules = to(cluster(web.port), retry=retry)
        async with gateway(rules, clock=clock) as proxy:
            client = await proxy.open()
            assert (await client.ask(get())).status == 200
            connection = await _closed_unseen(proxy, web)
            client.writer.write(get())
            await until(lambda: connection.served == 2)
            connection.transport.resume_reading()
            assert (await client.answer()).status == 200
            assert clock.pending == []
            clock.advance(1.0)
            assert [(await client.ask(get())).status for _ in range(2)] == [200, 200]
            assert proxy.counts()["statuses"] == {"200": 4}


async def _first_connection_dies(peer: Peer) -> None:
    """The first connection serves one request, and then nothing until the test closes it."""
    await peer.request()
    await peer.send(OK)
    if peer.server.connections == 1:
        await peer.reader.read()
    while True:
        await peer.request()
        await peer.send(OK)


async def _closed_unseen(proxy: InProcess, web: Server) -> Upstream:
    """The gateway's idle connection, which upstream has closed and the gateway does not know of yet."""
    (host,) = proxy.pools()["web.default.svc.cluster.local:80"].hosts
    (connection,) = host.idle
    connection.transport.pause_reading()
    web.close_connections()
    await until(lambda: web.closed)
    return connection


async def test_a_request_that_upstream_has_read_is_not_sent_again() -> None:
    """The same silence, but the octets were taken: a second POST could be a second order."""

    async def reads_then_dies(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()

    async with upstream(reads_then_dies) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        assert (await client.ask(post(b"one"))).status == 200
        answer = await client.ask(post(b"two"))
        assert (answer.status, web.bodies) == (503, [b"one", b"two"])
