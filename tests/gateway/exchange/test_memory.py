"""What clients and upstreams send without end costs a bounded amount of memory, and what a connection took is given
back when it closes, without the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest
from support.decisions import cluster, to
from support.gateway import Gateway
from support.scripted import OK, Peer, always, chunked, gateway, get, post, until, upstream

MEGABYTE = 1 << 20
FLOOD = 64 * MEGABYTE
MOST = 12 * MEGABYTE  # a read is 256 KB; the rest is the allocator's

EXPERIMENT = """\
apiVersion: chaos/v1alpha1
kind: Experiment
metadata: {{name: memory}}
spec:
  services:
    web.default.svc.cluster.local:80: {{endpoints: [{{address: 127.0.0.1:{port}}}]}}
"""

TRAILERS = b"x: a\r\n" * (MEGABYTE // 6)


@asynccontextmanager
async def process(port: int) -> AsyncIterator[Gateway]:
    """A gateway of its own, in front of this upstream, that has served before."""
    async with Gateway(EXPERIMENT.format(port=port)) as proxy:
        for _ in range(20):
            assert (await ask(proxy, get("/warm"))).startswith(b"HTTP/1.1 200")
        yield proxy


async def ask(proxy: Gateway, data: bytes) -> bytes:
    """The first line of the answer, however much of the data is taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        async with asyncio.timeout(20):
            writer.write(data)
            return await reader.readline()
    finally:
        writer.transport.abort()


async def flood(writer: asyncio.StreamWriter, piece: bytes) -> int:
    """Writes the piece again and again; the octets that were taken before the other side had enough."""
    sent = 0
    with suppress(ConnectionError):
        while sent < FLOOD:
            writer.write(piece)
            async with asyncio.timeout(20):
                await writer.drain()
            sent += len(piece)
    return sent


def trailing(piece: bytes) -> bytes:
    first = b"" if piece is TRAILERS else b"x: "
    return get("/", "transfer-encoding: chunked", method="POST") + b"3\r\nabc\r\n0\r\n" + first


@pytest.mark.parametrize("piece", [TRAILERS, b"a" * MEGABYTE], ids=["many", "one"])
async def test_trailers_of_a_request_without_end_are_refused_and_cost_little(piece: bytes) -> None:
    async with upstream() as web, process(web.port) as proxy:
        before = proxy.memory("VmRSS")
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(trailing(piece))
        flooding = asyncio.ensure_future(flood(writer, piece))
        async with asyncio.timeout(20):
            assert await reader.readline() == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
        await flooding
        writer.transport.abort()
        assert proxy.memory("VmHWM") - before < MOST


@pytest.mark.parametrize("piece", [TRAILERS, b"a" * MEGABYTE], ids=["many", "one"])
async def test_trailers_of_an_answer_without_end_cut_it_and_cost_little(piece: bytes) -> None:
    sent: list[int] = []

    async def endless(peer: Peer) -> None:
        while b"/warm" in await peer.head():
            await peer.send(OK)
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: ")
        sent.append(await flood(peer.writer, piece))

    async with upstream(endless) as web, process(web.port) as proxy:
        before = proxy.memory("VmRSS")
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(get())
        async with asyncio.timeout(20):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and not answer.endswith(b"0\r\n\r\n"), "it has been cut"
        await until(lambda: sent)
        assert sent[0] < FLOOD, "the gateway has closed the connection"
        writer.close()
        assert (await ask(proxy, get("/warm"))).startswith(b"HTTP/1.1 200"), "others are served"
        assert proxy.memory("VmHWM") - before < MOST


async def test_what_follows_a_malformed_request_is_not_kept_while_an_earlier_one_is_answered() -> None:
    release = asyncio.Event()

    async def slow(peer: Peer) -> None:
        while True:
            if b"/slow" in await peer.head():
                await release.wait()
            await peer.send(OK)

    async with upstream(slow) as web, process(web.port) as proxy:
        before = proxy.memory("VmRSS")
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(get("/slow") + b"nonsense\r\n\r\n")
        assert await flood(writer, b"a" * MEGABYTE) >= FLOOD, "it is read, and thrown away"
        release.set()
        async with asyncio.timeout(20):
            assert [line for line in (await reader.read()).split(b"\r\n") if b"HTTP/1.1" in line] == [
                b"HTTP/1.1 200 OK",
                b"okHTTP/1.1 400 Bad Request",
            ]
        writer.close()
        assert proxy.memory("VmHWM") - before < MOST


async def test_what_a_client_says_before_upstream_agrees_to_a_websocket_waits_in_its_own_buffers() -> None:
    """And arrives whole once upstream has agreed."""
    agree = asyncio.Event()
    got = bytearray()
    total = 16 * MEGABYTE

    async def websocket(peer: Peer) -> None:
        await peer.head()
        await agree.wait()
        await peer.send(b"HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
        while len(got) < total:
            got.extend(await peer.reader.read(MEGABYTE))

    async with upstream(websocket) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        data = bytes(range(256)) * (total // 256)
        client.writer.write(get("/", "connection: upgrade", "upgrade: websocket") + data)
        await until(lambda: any(not one.transport.is_reading() for one in proxy.worker.connections))
        (connection,) = proxy.worker.connections
        assert len(connection._after_upgrade or b"") < MEGABYTE
        agree.set()
        await until(lambda: len(got) == total)
        assert got == data


# ------------------------------------------------------------------------------------------------ closed connections


@contextmanager
def no_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


REQUESTS = [get(), post(b"hello"), chunked(b"hello", trailers=b"x: 1\r\n"), b"nonsense\r\n\r\n"]
ANSWERS = [OK, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"nonsense\r\n\r\n"]


@pytest.mark.parametrize("data", REQUESTS, ids=["GET", "a length", "chunks", "malformed"])
@pytest.mark.parametrize("answer", ANSWERS, ids=["a length", "chunks", "malformed"])
async def test_a_closed_connection_is_freed_without_the_garbage_collector(data: bytes, answer: bytes) -> None:
    """A parser refers to its connection and the connection to its parser: closing breaks the cycle."""
    async with upstream(always(answer)) as web, gateway(to(cluster(web.port))) as proxy:
        with no_garbage_collector():
            client = await proxy.open()
            client.writer.write(data)
            async with asyncio.timeout(10):
                assert await client.reader.readline()
            downstream = [weakref.ref(one) for one in proxy.worker.connections]
            assert downstream
            pools = proxy.pools().values()
            upstreams = [weakref.ref(one) for pool in pools for host in pool.hosts for one in host.members]
            client.writer.transport.abort()
            web.close_connections()
            await until(lambda: not [one for one in [*downstream, *upstreams] if one() is not None])
