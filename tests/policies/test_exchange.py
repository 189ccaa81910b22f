"""What else is under way when a fault ends or changes a response: uploads, pipelined requests, tunnels, a gateway that
ends, clients that leave, the route's own timeouts."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from support.clock import Clock
from support.mesh import virtual_service
from support.policies import policy, rules
from support.scripted import OK, Client, InProcess, Peer, always, chunked, gateway, get, in_turn, post, until, upstream

ROUTE = virtual_service("- route: [{destination: {host: web}}]")
RETRIES = virtual_service(
    "- route: [{destination: {host: web}}]\n"
    "  timeout: 10s\n"
    "  retries: {attempts: 2, perTryTimeout: 2s, retryOn: 'reset,5xx'}"
)
TIMEOUT = virtual_service("- route: [{destination: {host: web}}]\n  timeout: 5s\n  retries: {attempts: 0}")
LONG = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789"
SIZE = 100_000_000
UPSTREAM = "scope: upstream"


def counted(proxy: InProcess) -> dict[str, int]:
    return dict(proxy.worker.counters()["policies"][""]["p"])


@asynccontextmanager
async def staying(port: int) -> AsyncIterator[Client]:
    """A client that reads no more than it is asked for, and does not leave before the block ends."""
    client = Client(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 16))
    try:
        yield client
    finally:
        client.writer.transport.abort()
        with suppress(OSError):
            await client.writer.wait_closed()


async def upload(client: Client, size: int) -> None:
    """Sends a body of `size` bytes, for as long as it is taken."""
    client.writer.write(get("/", f"content-length: {size}", method="POST"))
    piece = bytes(1 << 18)
    for _ in range(size // len(piece)):
        client.writer.write(piece)
        await client.writer.drain()


# ------------------------------------------------------------------------------------------ bodies


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize(
    ("fault", "least", "most"),
    [
        ("{corrupt: {bytes: 1024}}", SIZE, 2 * SIZE),
        ("{close: {bytes: 99000000}}", 99_000_000, SIZE),
        ("{truncate: {share: 90%}}", 0.9 * 65536, 0.91 * SIZE),
    ],
)
async def test_a_hundred_megabytes_are_not_kept(fault: str, least: int, most: int, framing: str):
    piece = bytes(SIZE // 400)

    async def long(peer: Peer) -> None:
        await peer.request()
        line = b"content-length: %d" % SIZE if framing == "length" else b"transfer-encoding: chunked"
        await peer.send(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n")
        for _ in range(400):
            await peer.send(piece if framing == "length" else b"%x\r\n%b\r\n" % (len(piece), piece))
        await peer.send(b"" if framing == "length" else b"0\r\n\r\n")
        await peer.reader.read()

    async with (
        upstream(long) as web,
        gateway(rules(ROUTE, policy(fault), port=web.port)) as proxy,
        staying(proxy.port) as client,
    ):
        client.writer.write(get("/", "connection: close"))
        size = 0
        tracemalloc.start()
        while data := await client.reader.read(1 << 20):
            size += len(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 12_000_000 and least <= size < most


@pytest.mark.parametrize("fault", ["{stall: {}}", "{stall: {bytes: 1}}"])
async def test_a_body_that_is_still_sent_after_the_end_is_dropped(fault: str):
    async def early(peer: Peer) -> None:
        await peer.head()
        await peer.send(LONG)
        await peer.reader.read()

    async with upstream(early) as web, gateway(rules(ROUTE, policy(fault), port=web.port)) as proxy:
        client = await proxy.open()
        tracemalloc.start()
        await upload(client, 64 << 20)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 32_000_000  # the upstream reads some of it before it is left
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        client.close()
        await until(lambda: not proxy.worker.connections)


@pytest.mark.parametrize("fault", ["{close: {}}", "{truncate: {bytes: 3}}"])
async def test_a_close_is_an_orderly_one_while_the_client_is_still_sending(fault: str):
    """Bytes that nobody has read would turn the FIN into a reset."""

    async def early(peer: Peer) -> None:
        await peer.head()
        await peer.send(LONG)
        await peer.reader.read()

    async with upstream(early) as web, gateway(rules(ROUTE, policy(fault), port=web.port)) as proxy:
        client = await proxy.open()
        client.writer.write(get("/", "content-length: 100000000", method="POST") + bytes(1 << 20))
        received = await client.reader.read()
        assert received.endswith(b"\r\n\r\n012") if "truncate" in fault else received == b""


async def test_expect_100_continue_passes_and_the_fault_comes_after_it():
    async def continues(peer: Peer) -> None:
        head = await peer.head()
        assert b"expect: 100-continue" in head.lower()
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await peer.reader.readexactly(4) == b"body"
        await peer.send(LONG)

    written = policy("{truncate: {bytes: 3}}")
    async with upstream(continues) as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        client = await proxy.open()
        client.writer.write(get("/", "content-length: 4", "expect: 100-continue", method="POST"))
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.writer.write(b"body")
        received = await client.reader.read()
        assert received.startswith(b"HTTP/1.1 200") and received.endswith(b"\r\n\r\n012")


async def test_a_body_that_turns_out_to_be_malformed_is_refused_while_its_request_waits():
    clock = Clock()
    written = policy("{delay: {fixed: 5s}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(get("/", "transfer-encoding: chunked", method="POST"))
        await until(lambda: clock.pending)
        client.writer.write(b"zz\r\n")
        assert (await client.answer()).status == 400
        assert await client.ended()
        clock.advance(10.0)
        assert web.heads == []


# ------------------------------------------------------------------------------------------ the connection


async def test_pipelined_requests_behind_a_response_that_is_changed_are_answered():
    written = policy("{patch: {body: patched}}", percentage=50)
    async with upstream(in_turn(OK)) as web, gateway(rules(ROUTE, written, port=web.port), seed=3) as proxy:
        client = await proxy.open()
        client.writer.write(b"".join(get("/", f"x-request-id: {n}") for n in range(40)))
        bodies = [(await client.answer()).body for _ in range(40)]
    assert set(bodies) == {b"ok", b"patched"}


async def test_pipelined_requests_behind_one_that_is_cut_are_not_answered():
    async with upstream() as web, gateway(rules(ROUTE, policy("{truncate: {bytes: 1}}"), port=web.port)) as proxy:
        client = await proxy.open()
        client.writer.write(get() * 50)
        received = await client.reader.read()
        assert received.count(b"HTTP/1.1") == 1 and received.endswith(b"\r\n\r\no")
        assert counted(proxy)["targeted"] == 1


@pytest.mark.parametrize("fault", ["{corrupt: {bytes: 1}}", "{patch: {body: a}}"])
async def test_connection_close_holds(fault: str):
    async with upstream() as web, gateway(rules(ROUTE, policy(fault), port=web.port)) as proxy:
        client = await proxy.open()
        answer = await client.ask(get("/", "connection: close"))
        assert answer.first("connection") == "close" and await client.ended()


async def test_a_websocket_passes_and_is_tagged():
    async def echo(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\nhello ")
        while data := await peer.reader.read(65536):
            await peer.send(data)

    written = policy("{corrupt: {bytes: 3}}", more="maxActive: 1")
    async with upstream(echo) as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        for _ in range(2):
            client = await proxy.open()
            client.writer.write(get("/", "connection: upgrade", "upgrade: websocket"))
            head = await client.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101") and b"\r\nx-chaos-policy: p\r\n" in head
            client.writer.write(b"a" * 300_000)
            assert await client.reader.readexactly(300_006) == b"hello " + b"a" * 300_000
            client.writer.write_eof()
            assert await client.ended()
        await until(lambda: not proxy.worker.connections)
        assert counted(proxy)["full"] == 0


# ------------------------------------------------------------------------------------------ who leaves


@pytest.mark.parametrize("fault", ["{stall: {}}", "{stall: {bytes: 1}}"])
async def test_a_client_that_gives_up_has_seen_the_stall(fault: str):
    written = policy(fault, more="maxActive: 1")
    async with upstream(always(LONG)) as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        for _ in range(2):
            client = await proxy.open()
            client.writer.write(get())
            await client.reader.readuntil(b"\r\n\r\n")
            client.close()
            await until(lambda: not proxy.worker.connections)
        assert counted(proxy) == {"targeted": 2, "met": 2, "full": 0, "left": 0, "left_met": 0, "preceded": 0}
        (host,) = proxy.pools()["web.default.svc.cluster.local:80"].hosts
        assert host.active == 0


async def test_a_client_that_leaves_before_the_head_of_a_late_response_has_seen_nothing():
    clock = Clock()
    written = policy("{delay: {fixed: 5s, at: answer}}")
    async with upstream(always(LONG)) as web, gateway(rules(ROUTE, written, port=web.port), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        await until(lambda: proxy.counts()["answered"])
        client.close()
        await until(lambda: not proxy.worker.connections)
        assert (counted(proxy)["left"], counted(proxy)["left_met"], proxy.counts()["left"]) == (1, 1, {"": 1})
        assert clock.pending == []


@pytest.mark.parametrize("fault", ["{stall: {}}", "{stall: {bytes: 5}}"])
async def test_a_gateway_that_ends_waits_no_longer_than_it_would(fault: str):
    async with upstream(always(LONG)) as web, AsyncExitStack() as later:
        async with gateway(rules(ROUTE, policy(fault), port=web.port), drain_seconds=0.1) as proxy:
            client = await later.enter_async_context(staying(proxy.port))
            client.writer.write(get())
            await client.reader.readuntil(b"\r\n\r\n")
            began = time.monotonic()
        assert await client.reader.read() == b"01234"[: 5 * ("5" in fault)] and time.monotonic() - began < 5


@pytest.mark.parametrize("policies", [(), (policy("{corrupt: {bytes: 1}}"),)])
async def test_a_connection_closes_after_a_response_that_began_before_the_gateway_was_to_end(policies: tuple[str, ...]):
    half, rest = asyncio.Event(), asyncio.Event()

    async def slow(peer: Peer) -> None:
        await peer.request()
        await peer.send(LONG[:-5])
        half.set()
        await rest.wait()
        await peer.send(LONG[-5:])
        await peer.reader.read()

    async with upstream(slow) as web, AsyncExitStack() as later:
        async with gateway(rules(ROUTE, *policies, port=web.port), drain_seconds=60.0) as proxy:
            client = await later.enter_async_context(staying(proxy.port))
            client.writer.write(get())
            await client.reader.readuntil(b"\r\n\r\n")
            began = time.monotonic()
            asyncio.get_running_loop().call_later(0.05, rest.set)
        assert len(await client.reader.read()) == 10 and time.monotonic() - began < 10


# ------------------------------------------------------------------------------------------ attempts


async def test_a_stalled_attempt_ends_with_its_own_timeout_and_is_made_again():
    clock = Clock()
    async with (
        upstream() as web,
        gateway(rules(RETRIES, policy("{stall: {}}", more=UPSTREAM), port=web.port), clock=clock) as proxy,
    ):
        client = await proxy.open()
        client.writer.write(get())
        await until(lambda: clock.pending)
        clock.advance(9.0)
        answer = await client.answer()
        assert (answer.status, answer.first("x-chaos-attempts"), web.heads) == (504, "3", [])
        assert counted(proxy)["met"] == 3


@pytest.mark.parametrize("size", [4, 3 << 20])
@pytest.mark.parametrize("in_chunks", [False, True])
async def test_a_stalled_attempt_takes_the_body_and_the_routes_timeout_ends_it(size: int, in_chunks: bool):
    clock = Clock()
    async with (
        upstream() as web,
        gateway(rules(TIMEOUT, policy("{stall: {}}", more=UPSTREAM), port=web.port), clock=clock) as proxy,
    ):
        client = await proxy.open()
        client.writer.write(chunked(bytes(size)) if in_chunks else post(bytes(size)))
        await until(lambda: any(each.when() == 1005.0 for each in clock.pending))
        clock.advance(5.0)
        assert (await client.answer()).status == 504 and web.heads == []


async def test_an_attempt_that_is_closed_fails_as_by_an_upstream_that_closes():
    async def closes(peer: Peer) -> None:
        await peer.request()

    answers = []
    for documents, script in (((policy("{close: {}}", more=UPSTREAM),), None), ((), closes)):
        async with (
            upstream(script) if script else upstream() as web,
            gateway(rules(TIMEOUT, *documents, port=web.port)) as proxy,
        ):
            answer = await proxy.ask(get())
            answers.append((answer.status, answer.body, proxy.counts()["statuses"]))
    assert answers[0] == answers[1]


async def test_an_attempt_that_is_sent_again_is_one():
    """An idle connection turned out to be dead, and nothing of the request was taken: it has been drawn for already."""

    async def once(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        peer.reset()

    written = policy("{reset: {}}", percentage=0, more=UPSTREAM)
    async with upstream(once) as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        client = await proxy.open()
        for _ in range(20):
            assert (await client.ask(get())).status == 200
        assert counted(proxy)["targeted"] == proxy.counts()["upstream_requests"] == 20
