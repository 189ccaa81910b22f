"""A delay by policy, over real sockets: before a request is forwarded, and before its response."""

from __future__ import annotations

import asyncio

import pytest
from support.clock import Clock
from support.mesh import virtual_service
from support.policies import others_take, policy, reading, rules
from support.scripted import always, gateway, get, hangs, post, until, upstream

ROUTE = virtual_service("- route: [{destination: {host: web}}]")
TRIES = virtual_service(
    "- route: [{destination: {host: web}}]\n  retries: {attempts: 1, perTryTimeout: 1s, retryOn: 5xx}"
)
LONG = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789"
CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"
NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"


async def test_a_request_is_forwarded_once_it_has_waited():
    clock = Clock()
    written = policy("{delay: {fixed: 3s}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port), clock=clock) as proxy:
        client = await proxy.open()
        for number in range(2):  # the connection is kept
            client.writer.write(post(b"body"))
            await until(lambda: clock.pending)
            clock.advance(2.9)
            assert len(web.heads) == number
            clock.advance(0.1)
            answer = await client.answer()
            assert (answer.status, answer.body, answer.first("x-chaos-policy")) == (200, b"ok", "p")
        assert web.bodies == [b"body", b"body"]


@pytest.mark.parametrize(
    ("method", "said", "body"),
    [("GET", LONG, b"0123456789"), ("GET", CHUNKS, b"0123456789"), ("HEAD", LONG, b""), ("GET", NOTHING, b"")],
)
async def test_a_response_waits_before_its_head(method: str, said: bytes, body: bytes):
    clock = Clock()
    if method == "HEAD":
        said = said.partition(b"0123")[0]
    async with (
        upstream(always(said)) as web,
        gateway(rules(ROUTE, policy("{delay: {fixed: 3s, at: answer}}"), port=web.port), clock=clock) as proxy,
    ):
        client = await proxy.open()
        for number in range(2):
            client.writer.write(get(method=method))
            await until(lambda: any(timer.when() == clock.seconds + 3 for timer in clock.pending))
            assert len(web.heads) == number + 1
            reading = asyncio.create_task(client.answer(head_only=method == "HEAD"))
            clock.advance(2.9)
            await asyncio.sleep(0)
            assert not reading.done()
            clock.advance(0.1)
            answer = await reading
            assert answer.body == body and answer.first("x-chaos-policy") == "p"


async def test_upstream_of_retries_the_time_of_each_attempt_covers_it():
    clock = Clock()
    written = policy("{delay: {fixed: 3s}}", more="scope: upstream")
    async with upstream() as web, gateway(rules(TRIES, written, port=web.port), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        await until(lambda: clock.pending)
        clock.advance(10)
        answer = await client.answer()
        counted = proxy.worker.counters()["policies"][""]["p"]
    assert (answer.status, answer.first("x-chaos-attempts"), web.heads) == (504, "2", [])
    assert (counted["targeted"], counted["met"]) == (2, 2)


async def test_upstream_of_retries_an_attempt_is_made_after_its_wait():
    clock = Clock()
    written = policy("{delay: {fixed: 500ms}}", more="scope: upstream")
    async with upstream() as web, gateway(rules(TRIES, written, port=web.port), clock=clock) as proxy:
        client = await proxy.open()
        for _ in range(2):
            client.writer.write(post(b"body"))
            await until(lambda: clock.pending)
            clock.advance(0.6)
            assert (await client.answer()).status == 200
        assert web.bodies == [b"body", b"body"]


async def test_a_client_that_leaves_while_it_waits_is_counted_so():
    written = policy("{delay: {fixed: 1h}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        await until(lambda: proxy.worker.counters()["policies"])
        client.close()
        await until(lambda: not proxy.worker.connections)
        assert web.heads == []
        assert proxy.worker.counters()["policies"][""]["p"] == {
            "targeted": 1,
            "met": 1,
            "full": 0,
            "left": 1,
            "left_met": 1,
            "preceded": 0,
        }


async def test_a_gateway_that_ends_does_not_wait_for_it():
    written = policy("{delay: {fixed: 1h, at: answer}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port), drain_seconds=0.1) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        await until(lambda: web.heads)
    assert await client.ended()


async def test_the_wait_is_drawn_for_each_request():
    """An upstream that does not answer: what the requests wait for are the gateway's timers."""
    clock = Clock()
    written = policy("{delay: {uniform: {from: 1s, to: 2s}}}", percentage=50)
    async with upstream(hangs) as web, gateway(rules(ROUTE, written, port=web.port), clock=clock, seed=2) as proxy:
        for number in range(12):
            (await proxy.open()).writer.write(get("/", f"x-request-id: {number}"))
        await until(lambda: len(web.heads) + len(clock.pending) == 12)
        waits = [timer.when() - clock.seconds for timer in clock.pending]
    assert 2 <= len(waits) <= 10 and len(set(waits)) == len(waits) and all(1 <= wait <= 2 for wait in waits)


async def test_aiohttp_and_curl_wait_for_it():
    written = policy("{delay: {percentiles: {p0: 20ms, p100: 40ms}}}")
    async with upstream(always(CHUNKS)) as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        await others_take(proxy.port, b"0123456789", 0.02)


def test_the_response_of_an_attempt_is_not_delayed():
    (problem,) = reading(policy("{delay: {fixed: 1s, at: answer}}", more="scope: upstream")).problems
    assert (problem.path, problem.location.column) == ("spec.fault.delay.at", 34)
    assert problem.message == "a response is delayed once, for the client; write at: request, or leave scope out"
