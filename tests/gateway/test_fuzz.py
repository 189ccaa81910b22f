"""Octets that no client should send, cut and mixed at random: never an exception, a leak or a wrong count."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from support.decisions import ABORT_REPLY, HandRules, cluster, decided, delayed, forward, retrying
from support.scripted import OK, Peer, chunked, gateway, get, post, until, upstream

from chaos.faults import count_of
from chaos.mesh.decision import Abort, Decision, Failure

SEEDS = (
    get("/1", "x: 1"),
    get("/2", method="HEAD"),
    post(b"hello", target="/3"),
    chunked(b"wiki", b"pedia", trailers=b"x: 1\r\n"),
    get("/ws", "connection: upgrade", "upgrade: websocket"),
    post(b"hello", "connection: upgrade", "upgrade: h2c"),
    get("/4", "connection: close"),
    get("/", "expect: 100-continue", "content-length: 3", method="POST"),
    b"\r\n",
)


def _mutate(chance: random.Random, data: bytes) -> bytes:
    for _ in range(chance.randrange(3)):
        at, kind = chance.randrange(len(data) + 1), chance.randrange(4)
        if kind == 0:
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[at + chance.randrange(8) :]
        elif kind == 2:
            data = data[:at] + chance.choice([b"\r\n", b"\n", b"\0", b" ", b":", b"a" * 5000]) + data[at:]
        else:
            data = data[:at]
    return data


async def _erratic(peer: Peer) -> None:
    """Answers well, badly, in pieces, or not at all."""
    chance = random.Random(len(peer.server.heads))
    while True:
        await peer.request()
        text = chance.choice([OK, OK, b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n", _mutate(chance, OK * 2), b""])
        for at in range(0, len(text), chance.choice([1000, 7])):
            await peer.send(text[at : at + 7])
        if not text or chance.random() < 0.2:
            if chance.random() < 0.5:
                peer.reset()
            return


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_a_client_or_an_upstream_sends_breaks_the_gateway(seed: int) -> None:
    chance = random.Random(seed)
    trouble: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: trouble.append(context))
    async with upstream(_erratic) as web:
        target = cluster(web.port)
        retry = retrying(2, 503, Failure.RESET, per_try_timeout=0.5)

        def answer(request: Any, draws: Any) -> Decision:
            n = len(rules.seen)
            if n % 5 == 0:
                return decided(Abort(ABORT_REPLY))
            return delayed(0.002 * (n % 3 == 0), forward(target, request, retry=retry, timeout=0.5))

        rules = HandRules(answer)
        async with gateway(rules) as proxy:
            for _ in range(60):
                client = await proxy.open()
                data = b"".join(_mutate(chance, chance.choice(SEEDS)) for _ in range(chance.randrange(1, 5)))
                while data and not client.writer.transport.is_closing():
                    cut = chance.choice([1, 5, 50, 5000])
                    client.writer.write(data[:cut])
                    data = data[cut:]
                    if chance.random() < 0.3:
                        await asyncio.sleep(0)
                if chance.random() < 0.3:
                    client.writer.transport.abort()
                elif chance.random() < 0.5 and not client.writer.transport.is_closing():
                    client.writer.write_eof()
            await until(lambda: all(one.current is None or one.current.attempt for one in proxy.worker.connections))
            for client in proxy.clients:
                client.writer.transport.abort()
            await until(lambda: not proxy.worker.connections)
            counts = proxy.counts()
            assert trouble == []
            assert counts["requests"] == len(rules.seen) > 5
            assert counts["requests"] == sum(counts["statuses"].values())  # type: ignore[attr-defined]
            assert counts["requests"] == count_of("abort", counts["faults"]) + counts["forwarded"]  # type: ignore[operator]
            (pool,) = proxy.pools().values()
            assert (pool.waiting, pool.retrying, pool.active()) == (0, 0, 0)
            await until(lambda: pool.connections == sum(len(host.idle) for host in pool.hosts))
