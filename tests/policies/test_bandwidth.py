"""Bodies that pass at a rate: the stage by itself, and over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from support.clock import Clock
from support.mesh import virtual_service
from support.policies import others_take, policy, reading, rules
from support.scripted import always, gateway, get, upstream

from chaos.policies.kinds.bandwidth import AtRate
from chaos.policies.steps import Pause

ROUTE = virtual_service("- route: [{destination: {host: web}}]")
BODY = bytes(range(200))
LONG = b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n" + BODY
CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\n%b\r\n64\r\n%b\r\n0\r\n\r\n" % (
    BODY[:100],
    BODY[100:],
)
NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.mark.parametrize("rate", [1.0, 7.0, 1000.0, 64000.0, 1e9])
@pytest.mark.parametrize("sizes", [[20_000], [1] * 1000, [0, 3, 10_000, 5]])
def test_no_100_ms_have_more_than_the_rate(rate: float, sizes: list[int]):
    stage, now, passed = AtRate(rate), 0.0, [(0.0, 0)]
    for size in sizes:
        for step in stage.body(bytes(size)):
            if isinstance(step, Pause):
                now += step.seconds
            else:
                assert isinstance(step, bytes)
                passed.append((now, passed[-1][1] + len(step)))
    assert passed[-1][1] == sum(sizes) and now == pytest.approx(sum(sizes) / rate, abs=0.005)
    start = 0
    for at, total in passed:
        while passed[start][0] < at - 0.1:
            start += 1
        assert total - passed[start][1] <= max(1.0, rate * 0.15) + 1


@pytest.mark.parametrize(
    ("method", "said", "body"), [("GET", LONG, BODY), ("GET", CHUNKS, BODY), ("HEAD", LONG, b""), ("GET", NOTHING, b"")]
)
async def test_a_response_takes_as_long_as_its_body_is(method: str, said: bytes, body: bytes):
    clock = Clock()
    if method == "HEAD":
        said = said.partition(BODY)[0]
    written = policy("{bandwidth: {rate: 1000}}")
    async with upstream(always(said)) as web, gateway(rules(ROUTE, written, port=web.port), clock=clock) as proxy:
        client = await proxy.open()
        for _ in range(2):
            began = clock.seconds
            answer = await clock.play(client.ask(get(method=method)))
            assert (answer.body, answer.first("x-chaos-policy")) == (body, "p")
            assert clock.seconds - began == pytest.approx(len(body) / 1000)


class LateClock(Clock):
    """A loop that is busy: each timer fires 10 ms late."""

    def after(self, delay: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        return super().after(delay + 0.01, callback, *args)


async def test_timers_that_are_late_do_not_lower_the_rate():
    clock = LateClock()
    written = policy("{bandwidth: {rate: 1000}}")
    async with upstream(always(LONG)) as web, gateway(rules(ROUTE, written, port=web.port), clock=clock) as proxy:
        client, began = await proxy.open(), clock.seconds
        assert (await clock.play(client.ask(get()))).body == BODY and clock.seconds - began == pytest.approx(0.21)


async def test_aiohttp_and_curl_get_it_at_the_rate():
    written = policy("{bandwidth: {rate: 4KB/s}}")
    async with upstream(always(CHUNKS)) as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        await others_take(proxy.port, BODY, 0.045)


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        ("10Mbit/s", "'10Mbit/s' is not a rate; write bytes per second, like 64KB/s, 1MiB/s or 65536"),
        ("64kb", "'64kb' is not a rate; write bytes per second, like 64KB/s, 1MiB/s or 65536"),
        ("0", "0 is less than 1 byte per second; for nothing at all there is stall"),
        ("-3KB/s", "'-3KB/s' is less than 1 byte per second; for nothing at all there is stall"),
    ],
)
def test_a_rate_is_refused_where_it_stands(rate: str, said: str):
    (problem,) = reading(policy(f"{{bandwidth: {{rate: {rate}}}}}")).problems
    assert (problem.path, problem.location.line, problem.location.column) == ("spec.fault.bandwidth.rate", 7, 29)
    assert problem.message == said


@pytest.mark.parametrize(
    ("rate", "shown"),
    [("64KB/s", "64 KB/s"), ("1MiB/s", "1 MiB/s"), ("65536", "64 KiB/s"), ("1.5 MB", "1.5 MB/s"), ("100", "100 B/s")],
)
def test_a_rate_is_said_as_it_is_written(rate: str, shown: str):
    (read,) = reading(policy(f"{{bandwidth: {{rate: {rate}, direction: answer}}}}")).require().policies
    assert read.policy.fault.sentence == f"have their responses' bodies pass at {shown}"
