"""Requests beyond a rate are refused, at the gateway."""

from __future__ import annotations

import shutil
import subprocess
from asyncio import to_thread

import aiohttp
import pytest
from support.clock import Clock
from support.mesh import virtual_service
from support.policies import policy, reading, rules
from support.scripted import InProcess, gateway, get, post, upstream

ROUTE = virtual_service("- route: [{destination: {host: web}}]")
RETRIES = virtual_service("- route: [{destination: {host: web}}]\n  retries: {attempts: 2, retryOn: '429'}")


async def statuses(proxy: InProcess, number: int) -> list[int]:
    client = await proxy.open()
    return [(await client.ask(get())).status for _ in range(number)]


async def test_what_exceeds_the_rate_is_refused():
    clock = Clock()
    written = policy("{quota: {rate: 2, burst: 3}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port), clock=clock) as proxy:
        assert await statuses(proxy, 5) == [200, 200, 200, 429, 429]
        clock.advance(0.5)
        assert await statuses(proxy, 2) == [200, 429]
        clock.advance(100)
        assert await statuses(proxy, 4) == [200, 200, 200, 429]
        answer = await proxy.ask(post(b"body"))
        assert (answer.status, answer.first("retry-after"), answer.first("x-chaos-policy")) == (429, "1", "p")
        await proxy.control.enter_phase("next", True, {})
        assert await statuses(proxy, 4) == [200, 200, 200, 429]
        assert len(web.heads) == 10


async def test_a_steady_rate_passes_and_twice_as_much_does_half():
    for every, sent, passed in ((0.02, 200, 200), (0.01, 250, 175)):
        clock = Clock()
        written = policy("{quota: {rate: 50}}")  # as many at once as in a second
        async with upstream() as web, gateway(rules(ROUTE, written, port=web.port), clock=clock) as proxy:
            client, seen = await proxy.open(), []
            for _ in range(sent):
                seen.append((await client.ask(get())).status)
                clock.advance(every)
        assert seen.count(200) == pytest.approx(passed, abs=1)


async def test_what_they_get_is_as_written():
    written = policy("{quota: {rate: 0.001, burst: 1, status: 503, headers: {x-why: much}, body: later}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        await proxy.ask(get())
        answer = await proxy.ask(get())
        assert (answer.status, answer.first("x-why"), answer.body) == (503, "much", b"later")
        assert answer.values("retry-after") == []


async def test_upstream_of_retries_each_attempt_counts():
    written = policy("{quota: {rate: 0.001, burst: 1}}", more="scope: upstream")
    async with upstream() as web, gateway(rules(RETRIES, written, port=web.port)) as proxy:
        assert (await proxy.ask(get())).status == 200
        answer = await proxy.ask(get())
        assert (answer.status, answer.first("x-chaos-attempts"), len(web.heads)) == (429, "3", 1)
        assert proxy.worker.counters()["policies"][""]["p"]["targeted"] == 4


async def test_aiohttp_and_curl_are_refused():
    written = policy("{quota: {rate: 0.001, burst: 2}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        url, seen = f"http://127.0.0.1:{proxy.port}/", []
        async with aiohttp.ClientSession(headers={"host": "web"}) as session:
            for _ in range(3):
                async with session.get(url) as answer:
                    seen.append((answer.status, answer.headers.get("retry-after")))
        assert seen == [(200, None), (200, None), (429, "1")]
        if curl := shutil.which("curl"):
            run = [curl, "-s", "-H", "host: web", "-w", "%{http_code}", "-o", "/dev/null", url]
            done = await to_thread(subprocess.run, run, capture_output=True, check=True)
            assert done.stdout == b"429"


@pytest.mark.parametrize(
    ("written", "where", "said"),
    [
        ("{rate: -1}", ".rate", "-1 is not greater than 0"),
        ("{}", ".rate", "required, but missing"),
        ("{rate: 1, burst: 0}", ".burst", "0 is less than 1"),
        ("{rate: 1, status: 99}", ".status", "99 is less than 200"),
    ],
)
def test_what_is_refused_is_located(written: str, where: str, said: str):
    (problem,) = reading(policy(f"{{quota: {written}}}")).problems
    assert (problem.path, problem.location.line, problem.message) == (f"spec.fault.quota{where}", 7, said)
