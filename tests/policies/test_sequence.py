"""Requests that fail by their order or by time: the choosers by themselves, and at the gateway."""

from __future__ import annotations

import shutil
import subprocess
from asyncio import to_thread
from itertools import groupby

import aiohttp
import pytest
from support.clock import Clock
from support.mesh import virtual_service
from support.policies import policy, reading, rules
from support.scripted import InProcess, gateway, get, upstream

ROUTE = virtual_service("- route: [{destination: {host: web}}]")
RETRIES = virtual_service("- route: [{destination: {host: web}}]\n  retries: {attempts: 2, retryOn: '503,reset'}")


async def statuses(proxy: InProcess, number: int) -> list[int]:
    client = await proxy.open()
    return [(await client.ask(get("/", f"x-request-id: {n}"))).status for n in range(number)]


async def test_the_first_requests_of_each_phase_fail():
    written = policy("{sequence: {first: 2}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        assert await statuses(proxy, 4) == [503, 503, 200, 200]
        await proxy.control.enter_phase("next", True, {})
        assert await statuses(proxy, 3) == [503, 503, 200]
        counted = proxy.worker.counters()["policies"]
    assert [(counted[phase]["p"]["met"], counted[phase]["p"]["targeted"]) for phase in ("", "next")] == [(2, 4), (2, 3)]


async def test_every_third_request_fails_with_the_status_that_is_written():
    written = policy("{sequence: {every: 3, status: {code: 418, headers: {x-why: order}, body: never}}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        assert await statuses(proxy, 7) == [200, 200, 418, 200, 200, 418, 200]
        await statuses(proxy, 1)
        answer = await proxy.ask(get())
        assert (answer.status, answer.body, answer.first("x-why")) == (418, b"never", "order")
        assert answer.values("x-chaos-policy") == ["p"]


async def test_every_request_in_an_outage_fails():
    clock = Clock()
    written = policy("{sequence: {outage: {after: 5s, for: 10s, every: 30s}}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port), clock=clock) as proxy:
        seen = []
        for _ in range(70):
            seen += await statuses(proxy, 1)
            clock.advance(1)
    assert [(status, len(list(run))) for status, run in groupby(seen)] == [
        (200, 5), (503, 10), (200, 20), (503, 10), (200, 20), (503, 5)
    ]  # fmt: skip


async def test_an_outage_happens_once_if_it_does_not_come_again():
    clock = Clock()
    async with (
        upstream() as web,
        gateway(rules(ROUTE, policy("{sequence: {outage: {for: 10s}}}"), port=web.port), clock=clock) as proxy,
    ):
        assert await statuses(proxy, 1) == [503]
        clock.advance(10)
        assert await statuses(proxy, 1) == [200]
        clock.advance(1000)
        assert await statuses(proxy, 1) == [200]


async def test_a_ramp_has_more_and_more_requests_fail():
    clock = Clock()
    written = policy("{sequence: {ramp: {over: 30s, from: 20, to: 80}}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port), clock=clock, seed=5) as proxy:
        shares = []
        for _ in range(4):  # at 0 s, 15 s, 30 s, 45 s
            shares.append((await statuses(proxy, 200)).count(503) / 200)
            clock.advance(15)
    assert shares == pytest.approx([0.2, 0.5, 0.8, 0.8], abs=0.1)


async def test_a_connection_is_reset_or_closed_instead():
    for end, error in (("reset", ConnectionResetError), ("close", EOFError)):
        written = policy(f"{{sequence: {{first: 1, {end}: {{}}}}}}")
        async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
            with pytest.raises(error):
                await proxy.ask(get())
            assert (await proxy.ask(get())).status == 200


async def test_upstream_of_retries_it_is_attempts_that_are_counted():
    """Two failures in a row are what two retries make good."""
    written = policy("{sequence: {first: 2}}", more="scope: upstream")
    async with upstream() as web, gateway(rules(RETRIES, written, port=web.port)) as proxy:
        answer = await proxy.ask(get())
        assert (answer.status, answer.first("x-chaos-attempts")) == (200, "3")
        assert (await proxy.ask(get())).values("x-chaos-attempts") == []


async def test_aiohttp_and_curl_see_the_order():
    written = policy("{sequence: {every: 2}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        url, seen = f"http://127.0.0.1:{proxy.port}/", []
        async with aiohttp.ClientSession(headers={"host": "web"}) as session:
            for _ in range(4):
                async with session.get(url) as answer:
                    seen.append(answer.status)
        assert seen == [200, 503, 200, 503]
        if curl := shutil.which("curl"):
            run = [curl, "-s", "-H", "host: web", "-w", "%{http_code} ", "-o", "/dev/null", url, "-o", "/dev/null", url]
            done = await to_thread(subprocess.run, run, capture_output=True, check=True)
            assert done.stdout.split() == [b"200", b"503"]


@pytest.mark.parametrize(
    ("written", "where", "said"),
    [
        ("{}", "", "no order; write one of first, every, outage, ramp"),
        ("{first: 1, every: 2}", "", "first and every are 2 orders; write one of first, every, outage, ramp"),
        (
            "{first: 1, reset: {}, close: {}}",
            "",
            "reset and close cannot both happen to a request; write one of status, reset, close",
        ),
        ("{first: 0}", ".first", "0 is less than 1"),
        ("{outage: {for: 10s, every: 5s}}", ".outage.every", "an outage of 10s every 5s never ends"),
        ("{ramp: {over: 3s, to: 130}}", ".ramp.to", "130 is not between 0 and 100"),
    ],
)
def test_what_is_refused_is_located(written: str, where: str, said: str):
    (problem,) = reading(policy(f"{{sequence: {written}}}")).problems
    assert (problem.path, problem.location.line, problem.message) == (f"spec.fault.sequence{where}", 7, said)


def test_a_share_of_a_sequence_is_refused():
    (problem,) = reading(policy("{sequence: {first: 1}}", percentage=30)).problems
    assert (problem.path, problem.location.line) == ("spec.percentage", 6)
    assert problem.message == "a sequence says which requests fail; leave percentage out"


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{first: 3}", "the first 3 requests of a phase get 503"),
        ("{every: 22, reset: {}}", "every 22nd of the requests have their connection reset"),
        (
            "{outage: {after: 5s, for: 10s, every: 30s}, close: {}}",
            "all requests from 5s for 10s, again every 30s, have their connection closed",
        ),
        ("{ramp: {over: 30s}, status: {code: 500}}", "from 0 % to 100 % of the requests, over 30s, get 500"),
    ],
)
def test_a_sentence_says_which_requests_it_is_about(written: str, sentence: str):
    (found,) = rules(ROUTE, policy(f"{{sequence: {written}}}")).policies
    assert found.sentence == sentence
