"""Connections to a cluster: limits, waiting, overflow, and what is kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.clock import Clock
from support.decisions import cluster, retrying, to
from support.raw_client import Answer
from support.scripted import OK, InProcess, Peer, always, always_ok, gateway, get, until, upstream

from chaos.mesh.decision import Balancing, CircuitBreakers, Failure, OutlierDetection, RetryBudget, Warmup

OVERFLOW = b"upstream connect error or disconnect/reset before headers. reset reason: overflow"


class Gate:
    """An upstream that answers when it is told to."""

    def __init__(self, answer: bytes = OK) -> None:
        self.answer = answer
        self.open = asyncio.Event()
        self.busy = self.most = 0

    async def script(self, peer: Peer) -> None:
        while True:
            await peer.request()
            self.busy += 1
            self.most = max(self.most, self.busy)
            await self.open.wait()
            self.busy -= 1
            await peer.send(self.answer)


async def _at_once(proxy: InProcess, count: int) -> list[asyncio.Task[Answer]]:
    """Requests one after another, each on a connection of its own, none answered yet."""
    asked = []
    for n in range(1, count + 1):
        asked.append(asyncio.ensure_future(proxy.ask(get())))
        await until(lambda n=n: proxy.counts()["requests"] == n)
    return asked


@pytest.mark.parametrize(
    ("limits", "served", "at_a_time"),
    [
        (CircuitBreakers(max_connections=2, max_pending_requests=1), 3, 2),
        (CircuitBreakers(max_connections=1, max_pending_requests=2), 3, 1),
        (CircuitBreakers(max_connections=2), 6, 2),
        (CircuitBreakers(max_requests=2), 2, 2),
        (CircuitBreakers(), 6, 6),
    ],
    ids=["2 busy, 1 waits", "1 busy, 2 wait", "2 busy, all wait", "2 requests", "no limit"],
)
async def test_what_is_beyond_the_limits_overflows_at_once(
    limits: CircuitBreakers, served: int, at_a_time: int
) -> None:
    gate = Gate()
    async with upstream(gate.script) as web, gateway(to(cluster(web.port, breakers=limits))) as proxy:
        asked = [(await _at_once(proxy, 1))[0]]
        await until(lambda: gate.busy == 1)
        for n in range(2, 7):
            asked.append(asyncio.ensure_future(proxy.ask(get())))
            await until(lambda n=n: proxy.counts()["requests"] == n)
            await until(lambda n=n: gate.busy == min(n, at_a_time, served))
        gate.open.set()
        answers = await asyncio.gather(*asked)
        assert [answer.status for answer in answers] == [200] * served + [503] * (6 - served)
        assert {answer.body for answer in answers[served:]} <= {OVERFLOW}
        assert gate.most == at_a_time


async def test_while_the_first_connection_is_made_its_request_is_pending() -> None:
    """As in Envoy: with one pending request allowed, a second one at that moment is one too many."""
    limits = CircuitBreakers(max_connections=1, max_pending_requests=1)
    async with upstream() as web, gateway(to(cluster(web.port, breakers=limits))) as proxy:
        client = await proxy.open()
        other = await proxy.open()
        client.writer.write(get())
        other.writer.write(get())
        assert sorted([(await client.answer()).status, (await other.answer()).status]) == [200, 503]


async def test_overflow_is_not_retried() -> None:
    gate = Gate()
    settings = {"breakers": CircuitBreakers(max_requests=1)}
    retry = retrying(3, Failure.OVERFLOW)
    async with upstream(gate.script) as web, gateway(to(cluster(web.port, **settings), retry=retry)) as proxy:
        first = (await _at_once(proxy, 1))[0]
        await until(lambda: gate.busy)
        answer = await proxy.ask(get())
        assert (answer.status, answer.body, answer.values("x-chaos-attempts")) == (503, OVERFLOW, [])
        gate.open.set()
        assert (await first).status == 200


async def test_max_requests_per_connection_closes_it() -> None:
    limits = CircuitBreakers(max_requests_per_connection=2)
    async with upstream() as web, gateway(to(cluster(web.port, breakers=limits))) as proxy:
        for _ in range(6):
            assert (await proxy.ask(get())).status == 200
        assert web.connections == 3


async def test_a_client_that_leaves_the_queue_leaves_its_place() -> None:
    gate = Gate()
    limits = CircuitBreakers(max_connections=1, max_pending_requests=1)
    async with upstream(gate.script) as web, gateway(to(cluster(web.port, breakers=limits))) as proxy:
        first = (await _at_once(proxy, 1))[0]
        await until(lambda: gate.busy)
        waiting = await proxy.open()
        waiting.writer.write(get())
        await until(lambda: proxy.counts()["requests"] == 2)
        waiting.writer.transport.abort()
        await until(lambda: len(proxy.worker.connections) == 1)
        third = asyncio.ensure_future(proxy.ask(get()))
        await until(lambda: proxy.counts()["requests"] == 3)
        gate.open.set()
        assert [(await first).status, (await third).status] == [200, 200]
        assert web.heads and proxy.counts()["statuses"] == {"0": 1, "200": 2}


async def test_a_connect_that_takes_too_long_is_a_connect_failure() -> None:
    """Nobody answers: the listener's backlog is full."""
    import socket

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        async with gateway(to(cluster(port, connect_timeout=0.05))) as proxy:
            answer = await proxy.ask(get())
            assert answer.status == 503
            assert answer.body.endswith(b"reset reason: connection timeout")
        for filler in fillers:
            filler.close()


async def test_idle_connections_are_closed_by_the_second_look() -> None:
    async with upstream(always_ok) as web, gateway(to(cluster(web.port))) as proxy:
        await proxy.ask(get())
        (host,) = proxy.pools()["web.default.svc.cluster.local:80"].hosts
        host.close_idle()
        assert len(host.idle) == 1
        await proxy.ask(get())
        host.close_idle()
        assert (len(host.idle), web.connections) == (1, 1), "it has served since"
        host.close_idle()
        assert host.idle == []
        await until(lambda: web.closed)


async def test_new_rules_keep_connections_to_endpoints_that_stay() -> None:
    async with upstream() as old, upstream() as new:
        before = to(cluster(old.port))
        async with gateway(before) as proxy:
            await proxy.ask(get())
            proxy.worker.use(to(cluster(old.port, new.port)))
            for _ in range(20):
                assert (await proxy.ask(get())).status == 200
            assert (old.connections, new.connections) == (1, 1)
            proxy.worker.use(to(cluster(new.port)))
            await proxy.ask(get())
            await until(lambda: old.closed == 1)
            assert (old.connections, new.connections) == (1, 1)


async def test_max_retries_limits_the_requests_that_are_retried_at_a_time() -> None:
    """The first request holds the one retry while it backs off; the second is not retried (Envoy's retry overflow)."""
    gone = b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n"
    limits = CircuitBreakers(max_retries=1)
    retry = retrying(1, 503, backoff_base=30.0)
    async with upstream(always(gone)) as web, gateway(to(cluster(web.port, breakers=limits), retry=retry)) as proxy:
        first = await proxy.open()
        first.writer.write(get())
        await until(lambda: proxy.counts()["upstream_failures"] == 1)
        assert (await proxy.ask(get())).values("x-chaos-attempts") == []
        first.writer.transport.abort()
        await until(lambda: len(proxy.worker.connections) == 0)
        assert proxy.pools()["web.default.svc.cluster.local:80"].retrying == 0


@pytest.mark.parametrize(("minimum", "retried"), [(1, 1), (2, 2)])
async def test_a_retry_budget_is_a_share_of_the_requests_but_at_least_a_number(minimum: int, retried: int) -> None:
    """Of four at once a quarter, or two; a retry that waits for its back-off is no request. It replaces max_retries."""
    gate = Gate(b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n")
    limits = CircuitBreakers(max_retries=50, retry_budget=RetryBudget(0.25, minimum))
    retry = retrying(1, 503, backoff_base=30.0)
    async with (
        upstream(gate.script) as web,
        gateway(to(cluster(web.port, breakers=limits), retry=retry)) as proxy,
    ):
        asked = await _at_once(proxy, 4)
        await until(lambda: gate.busy == 4)
        gate.open.set()
        await until(lambda: proxy.counts()["upstream_failures"] == 4)
        assert proxy.pools()["web.default.svc.cluster.local:80"].retrying == retried
        await until(lambda: sum(each.done() for each in asked) == 4 - retried)
        for each in asked:
            each.cancel()


async def test_an_endpoint_that_new_rules_add_warms_up() -> None:
    clock = Clock()
    settings: dict[str, Any] = {"balancing": Balancing.ROUND_ROBIN, "warmup": Warmup(60.0, 0.1)}
    async with (
        upstream() as old,
        upstream() as new,
        gateway(to(cluster(old.port, **settings)), clock=clock) as proxy,
    ):
        await proxy.ask(get())
        clock.advance(100.0)
        proxy.worker.use(to(cluster(old.port, new.port, **settings)))
        for _ in range(22):
            assert (await proxy.ask(get())).status == 200
        assert len(new.heads) in (1, 2, 3)
        clock.advance(61.0)
        for _ in range(20):  # its next turn may still be as far off as it was
            await proxy.ask(get())
        before = len(new.heads)
        for _ in range(20):
            await proxy.ask(get())
        assert len(new.heads) - before in (9, 10, 11)


async def test_new_rules_keep_what_is_known_of_an_endpoints_health() -> None:
    policy = OutlierDetection(consecutive_5xx=1, max_ejection_percent=100)
    broken = b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"
    async with upstream(always(broken)) as web, gateway(to(cluster(web.port, outlier_detection=policy))) as proxy:
        assert (await proxy.ask(get())).status == 500
        proxy.worker.use(to(cluster(web.port, outlier_detection=policy)))
        assert (await proxy.ask(get())).body == b"no healthy upstream"
        proxy.worker.use(to(cluster(web.port)))
        assert (await proxy.ask(get())).status == 500


async def test_clusters_that_no_rule_leads_to_are_forgotten() -> None:
    async with upstream() as web, gateway(to(cluster(web.port, name="old:80"))) as proxy:
        await proxy.ask(get())
        proxy.worker.use(to(cluster(web.port, name="new:80")))
        await proxy.ask(get())
        for _ in range(40):
            proxy.worker.look_around()
        await until(lambda: web.closed)
        for _ in range(12):
            proxy.worker.look_around()
        assert list(proxy.pools()) == ["new:80"]
