"""Bodies of requests that are taken at a rate, over real sockets."""

from __future__ import annotations

import time

import aiohttp
import pytest
from support.clock import Clock
from support.mesh import virtual_service
from support.policies import policy, rules
from support.scripted import OK, Client, Peer, chunked, gateway, get, hangs, post, until, upstream

ROUTE = virtual_service("- route: [{destination: {host: web}}]")
TIMEOUT = virtual_service("- route: [{destination: {host: web}}]\n  timeout: 1s")
ABORT = virtual_service(
    "- fault: {abort: {percentage: {value: 100}, httpStatus: 500}}\n  route: [{destination: {host: web}}]"
)
SLOW = "{bandwidth: {rate: 1000, direction: request}}"
BODY = bytes(range(200))


async def finish(client: Client, clock: Clock) -> float:
    """How long the response takes, by the clock, while time passes from timer to timer."""
    began = clock.seconds
    answer = await clock.play(client.answer())
    assert (answer.status, answer.body) == (200, b"ok")
    return clock.seconds - began


@pytest.mark.parametrize(
    ("request_", "seconds"),
    [(post(BODY), 0.2), (chunked(BODY[:50], BODY[50:]), 0.2), (post(b""), 0), (get(), 0), (post(bytes(3000)), 3)],
)
async def test_a_request_takes_as_long_as_its_body_is(request_: bytes, seconds: float):
    clock = Clock()
    async with upstream() as web, gateway(rules(ROUTE, policy(SLOW), port=web.port), clock=clock) as proxy:
        client = await proxy.open()
        for _ in range(2):  # the connection is kept
            client.writer.write(request_)
            assert await finish(client, clock) == pytest.approx(seconds)
        assert len(web.heads) == 2 and web.connections == 1
        assert web.bodies[0] == web.bodies[1] == request_.partition(b"\r\n\r\n")[2] or b"chunked" in request_


async def test_upstream_gets_a_twentieth_of_a_second_at_a_time():
    clock, seen = Clock(), bytearray()

    async def reads(peer: Peer) -> None:
        await peer.head()
        while len(seen) < len(BODY):
            seen.extend(await peer.reader.readexactly(1))
        await peer.send(OK)
        await peer.reader.read()

    async with upstream(reads) as web, gateway(rules(ROUTE, policy(SLOW), port=web.port), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(post(BODY))
        await until(lambda: web.heads)
        for size in (50, 100, 150, 200):
            clock.advance(0.049)
            assert len(seen) == size - 50
            clock.advance(0.001)
            await until(lambda size=size: len(seen) == size)
        assert bytes(seen) == BODY and (await client.answer()).status == 200


async def test_the_routes_timeout_begins_once_it_has_all_arrived():
    clock = Clock()
    async with upstream(hangs) as web, gateway(rules(TIMEOUT, policy(SLOW), port=web.port), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(post(bytes(5000)))
        await until(lambda: web.heads)
        clock.advance(4.9)
        assert not client.reader._buffer  # type: ignore[attr-defined]
        clock.advance(0.1)
        clock.advance(1.0)
        assert (await client.answer()).status == 504


async def test_a_hundred_megabytes_are_not_kept():
    size, waiting = 100_000_000, 0

    async def reads(peer: Peer) -> None:
        await peer.head()
        left = size
        while left:
            data = await peer.reader.read(1 << 20)
            assert data
            left -= len(data)
        await peer.send(OK)
        await peer.reader.read()

    written = policy("{bandwidth: {rate: 1GB/s}}")
    async with upstream(reads) as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        client = await proxy.open()
        client.writer.write(get("/", f"content-length: {size}", method="PUT"))
        for _ in range(100):
            client.writer.write(bytes(size // 100))
            await client.writer.drain()
            for connection in proxy.worker.connections:
                upload = getattr(getattr(connection, "current", None), "_upload", None)
                waiting = max(waiting, sum(map(len, upload._pieces)) if upload is not None else 0)
        assert (await client.answer()).status == 200
        assert 0 < waiting <= 1 << 19


async def test_a_reply_that_does_not_need_it_does_not_wait():
    async with upstream() as web, gateway(rules(ABORT, policy(SLOW), port=web.port)) as proxy:
        client = await proxy.open()
        client.writer.write(post(bytes(10_000_000)))
        answer = await client.answer()
        assert (answer.status, answer.first("connection"), web.heads) == (500, "close", [])
        assert await client.ended()


async def test_a_client_that_leaves_in_the_midst_ends_it():
    async with upstream() as web, gateway(rules(ROUTE, policy(SLOW), port=web.port)) as proxy:
        client = await proxy.open()
        client.writer.write(get("/", "content-length: 1000", method="PUT") + bytes(100))
        await until(lambda: web.heads)
        client.close()
        await until(lambda: not proxy.worker.connections and web.closed)


async def test_it_waits_its_turn_behind_another_request():
    clock = Clock()
    async with upstream() as web, gateway(rules(ROUTE, policy(SLOW), port=web.port), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(post(BODY) + post(BODY[:100]) + get())
        took = [await finish(client, clock) for _ in range(3)]
        assert sum(took) == pytest.approx(0.3) and web.bodies == [BODY, BODY[:100], b""]


async def test_beside_a_delay_the_body_arrives_meanwhile():
    clock = Clock()
    late = policy("{delay: {fixed: 150ms}}", name="late")
    async with upstream() as web, gateway(rules(ROUTE, policy(SLOW), late, port=web.port), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(post(BODY))
        assert await finish(client, clock) == pytest.approx(0.2)
        assert web.bodies == [BODY]


async def test_aiohttp_takes_its_time():
    written = policy("{bandwidth: {rate: 4KB/s}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        async with aiohttp.ClientSession(headers={"host": "web"}) as session:
            began = time.monotonic()
            async with session.put(f"http://127.0.0.1:{proxy.port}/", data=BODY) as answer:
                assert answer.status == 200
            assert time.monotonic() - began >= 0.049
        assert web.bodies == [BODY]
