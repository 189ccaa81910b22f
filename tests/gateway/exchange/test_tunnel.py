"""WebSocket: the 101 is passed on, then octets both ways."""

from __future__ import annotations

from support.clock import Clock
from support.decisions import ABORT_REPLY, HandRules, aborting, cluster, delayed, to
from support.scripted import Peer, always, gateway, get, stalled, until, upstream

from chaos.mesh.decision import Abort

SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: x\r\n\r\n"
)
UPGRADE = get("/ws", "connection: keep-alive, Upgrade", "upgrade: WebSocket", "sec-websocket-key: k")


async def _echo(peer: Peer) -> None:
    await peer.head()
    await peer.send(SWITCH + b"hello ")
    while data := await peer.reader.read(65536):
        await peer.send(data)


async def test_octets_pass_both_ways_after_the_101() -> None:
    clock = Clock()
    async with upstream(_echo) as web, gateway(to(cluster(web.port), timeout=2.0), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(UPGRADE + b"early ")
        head = (await client.reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 101 switching protocols\r\n")
        assert b"upgrade: websocket\r\n" in head and b"connection: upgrade\r\n" in head
        assert b"sec-websocket-accept: x\r\n" in head and b"x-chaos-route: web[0]\r\n" in head
        assert await client.reader.readexactly(12) == b"hello early "
        assert b"\r\nupgrade: websocket\r\n" in web.heads[0].lower()
        assert clock.pending == [], "the route's timeout has ended with the 101"
        client.writer.write(bytes(range(256)) * 4000)
        assert await client.reader.readexactly(1_024_000) == bytes(range(256)) * 4000
        assert proxy.counts()["statuses"] == {"101": 1}
        client.writer.write_eof()
        assert await client.ended()
        await until(lambda: web.closed)


async def test_a_close_by_upstream_closes_the_client() -> None:
    async def leave(peer: Peer) -> None:
        await peer.head()
        await peer.send(SWITCH + b"bye")

    async with upstream(leave) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(UPGRADE)
        await client.reader.readuntil(b"\r\n\r\n")
        assert await client.reader.read() == b"bye"
        (host,) = proxy.pools()["web.default.svc.cluster.local:80"].hosts
        await until(lambda: not host.members and not proxy.worker.connections)


async def test_back_pressure_holds_in_a_tunnel() -> None:
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.head()
        await peer.send(SWITCH)
        while sent < 64 << 20:
            await peer.send(b"x" * 65536)
            sent += 65536

    async with upstream(flood) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(UPGRADE)
        await client.reader.readuntil(b"\r\n\r\n")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: stalled(web.peers[0].writer.transport))
        assert sent < 40 << 20
        assert web.connections == 1


async def test_an_answer_other_than_101_is_an_answer() -> None:
    refusal = b"HTTP/1.1 403 X\r\ncontent-length: 2\r\n\r\nno"
    async with upstream(always(refusal)) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        answer = await client.ask(UPGRADE)
        assert (answer.status, answer.body, answer.first("connection")) == (403, b"no", "close")
        assert await client.ended()


async def test_an_upgrade_can_be_delayed_and_aborted() -> None:
    async with gateway(HandRules(lambda request, draws: delayed(0.01, Abort(ABORT_REPLY)))) as proxy:
        answer = await proxy.ask(UPGRADE)
        assert (answer.status, answer.first("x-chaos-fault"), answer.first("connection")) == (
            503,
            "delay,abort",
            "close",
        )
    async with gateway(aborting()) as proxy:
        assert (await proxy.ask(UPGRADE)).status == 503


async def test_the_timeout_lasts_until_the_101() -> None:
    async def silent(peer: Peer) -> None:
        await peer.head()
        await peer.reader.read()

    clock = Clock()
    async with upstream(silent) as web, gateway(to(cluster(web.port), timeout=2.0), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(UPGRADE)
        await until(lambda: web.heads)
        clock.advance(2.0)
        answer = await client.answer()
        assert (answer.status, answer.body) == (504, b"upstream request timeout")
