"""What the gateway does to requests that meet the fault of a policy, over real sockets."""

from __future__ import annotations

import pytest
from support.mesh import virtual_service
from support.policies import policy, rules
from support.scripted import OK, always, gateway, get, in_turn, post, resets, until, upstream

ROUTE = virtual_service("- route: [{destination: {host: web}}]")
RETRIES = virtual_service("- route: [{destination: {host: web}}]\n  retries: {attempts: 2, retryOn: 'reset,503'}")
LONG = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789"
CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"


async def test_a_status_is_answered_in_place_of_the_rules():
    written = policy("{status: {code: 429, headers: {retry-after: '1'}, body: slow down}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        client = await proxy.open()
        for _ in range(2):
            answer = await client.ask(get())
            assert (answer.status, answer.body, answer.first("retry-after")) == (429, b"slow down", "1")
            assert answer.values("x-chaos-policy") == ["p"] and answer.values("x-chaos-route") == []
        head = await client.ask(get(method="HEAD"))
        assert (head.status, head.body, head.first("content-length")) == (429, b"", "9")
        posted = await proxy.ask(post(b"body"))
        assert posted.status == 429 and web.heads == []
        counted = proxy.worker.counters()
    assert counted["policies"][""]["p"] == {"targeted": 4, "met": 4, "full": 0, "left": 0, "left_met": 0, "preceded": 0}
    assert counted["unmatched"] == 0 and counted["phases"][""] == {}


async def test_a_reset_is_one_and_nothing_is_forwarded():
    async with upstream() as web, gateway(rules(ROUTE, policy("{reset: {}}"), port=web.port)) as proxy:
        client = await proxy.open()
        with pytest.raises(ConnectionResetError):
            await client.ask(get())
        assert web.heads == []
        assert proxy.worker.counters()["policies"][""]["p"]["met"] == 1


@pytest.mark.parametrize("answer", [LONG, CHUNKS])
async def test_a_reset_after_some_bytes_ends_the_body(answer: bytes):
    async with (
        upstream(always(answer)) as web,
        gateway(rules(ROUTE, policy("{reset: {bytes: 4}}"), port=web.port)) as proxy,
    ):
        client = await proxy.open()
        client.writer.write(get())
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        assert proxy.counts()["answered"] == 1


async def test_those_that_are_spared_pass_as_they_are():
    written = policy("{reset: {}}", percentage=0)
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        answer = await proxy.ask(get())
        assert (answer.status, answer.values("x-chaos-policy")) == (200, [])
        assert proxy.worker.counters()["policies"][""]["p"]["targeted"] == 1


async def test_only_its_targets_meet_it():
    written = policy("{status: {code: 503}}").replace("{host: web}", "{host: web, match: {uri: {prefix: /a}}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        assert (await proxy.ask(get("/a/b"))).status == 503
        assert (await proxy.ask(get("/b"))).status == 200
        assert proxy.worker.counters()["policies"][""]["p"]["targeted"] == 1


async def test_upstream_of_retries_an_attempt_ends_and_is_made_again():
    """Each attempt is drawn for; the client sees what the retries leave."""
    written = policy("{reset: {}}", percentage=50, more="scope: upstream")
    async with upstream() as web, gateway(rules(RETRIES, written, port=web.port), seed=1) as proxy:
        client = await proxy.open()
        statuses = [(await client.ask(get("/", f"x-request-id: {n}"))).status for n in range(60)]
        counted, ruled = proxy.worker.counters()["policies"][""]["p"], proxy.counts()
    assert set(statuses) == {200, 503} and 2 <= statuses.count(503) <= 20
    assert counted["targeted"] == ruled["upstream_requests"] and counted["met"] == ruled["upstream_failures"]
    assert len(web.heads) == statuses.count(200)


async def test_upstream_a_status_is_the_attempts_own():
    written = policy("{status: {code: 503}}", more="scope: upstream")
    async with upstream() as web, gateway(rules(RETRIES, written, port=web.port)) as proxy:
        answer = await proxy.ask(post(b"body"))
        assert (answer.status, answer.first("x-chaos-attempts"), web.heads) == (503, "3", [])


async def test_upstream_an_attempt_that_hangs_counts_for_the_circuit_breaker():
    """The second request is refused at once, and the third passes when the first is over: nothing stays counted."""
    breaker = (
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: web}\n"
        "spec: {host: web, trafficPolicy: {connectionPool: {http: {http2MaxRequests: 1}}}}\n"
    )
    written = policy("{stall: {}}", more="scope: upstream")
    async with upstream() as web, gateway(rules(ROUTE, breaker, written, port=web.port)) as proxy:
        first = await proxy.open()
        first.writer.write(get())
        await until(lambda: proxy.worker.counters()["policies"].get("", {}).get("p", {}).get("met"))
        refused = await proxy.ask(get())
        assert (refused.status, refused.body[:8]) == (503, b"upstream")
        assert proxy.counts()["failures"] == {"UO": 1}
        (pool,) = proxy.pools().values()
        assert pool.active() == 1
        first.writer.close()
        await until(lambda: pool.active() == 0)
    assert web.heads == []


async def test_no_more_than_max_active_are_under_it():
    written = policy("{status: {code: 503}}", more="maxActive: 1")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        for _ in range(3):  # one after the other: none is active when the next comes
            assert (await proxy.ask(get())).status == 503
        assert proxy.worker.counters()["policies"][""]["p"]["full"] == 0


async def test_without_faults_none_happens():
    async with upstream() as web, gateway(rules(ROUTE, policy("{reset: {}}"), port=web.port)) as proxy:
        await proxy.control.enter_phase("calm", False, {})
        assert (await proxy.ask(get())).status == 200
        assert proxy.worker.counters()["policies"] == {}


async def test_the_same_seed_has_the_same_faults():
    written = policy("{status: {code: 503}}", percentage=50)
    met = []
    for _ in range(2):
        async with upstream() as web, gateway(rules(ROUTE, written, port=web.port), seed=7) as proxy:
            client = await proxy.open()
            met.append([(await client.ask(get("/", f"x-request-id: {n}"))).status for n in range(40)])
    assert met[0] == met[1] and 5 < met[0].count(503) < 35


async def test_an_upstream_that_fails_by_itself_still_does():
    async with (
        upstream(resets) as web,
        gateway(rules(ROUTE, policy("{reset: {}}", percentage=0), port=web.port)) as proxy,
    ):
        assert (await proxy.ask(get())).status == 503


async def test_pipelined_requests_are_answered_in_turn():
    written = policy("{status: {code: 418}}", percentage=50)
    async with upstream(in_turn(OK)) as web, gateway(rules(ROUTE, written, port=web.port), seed=3) as proxy:
        client = await proxy.open()
        client.writer.write(b"".join(get("/", f"x-request-id: {n}") for n in range(20)))
        statuses = [(await client.answer()).status for _ in range(20)]
    assert set(statuses) == {200, 418}
