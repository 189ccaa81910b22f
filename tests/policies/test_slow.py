"""Responses that come slowly by policy: what waits is bounded, and nobody waits for it in vain."""

from __future__ import annotations

import pytest
from support.mesh import virtual_service
from support.policies import policy, rules
from support.scripted import Peer, always, gateway, get, until, upstream

from chaos.gateway.upstream.connection import HIGH_WATER

ROUTE = virtual_service("- route: [{destination: {host: web}}]")
LONG = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789"
SIZE = 100_000_000
FOREVER = ["{bandwidth: {rate: 1}}", "{dribble: {chunks: 2, over: 1h}}"]


@pytest.mark.parametrize("fault", ["{bandwidth: {rate: 1GB/s}}", "{dribble: {chunks: 20, over: 100ms}}"])
async def test_a_hundred_megabytes_are_not_kept(fault: str):
    async def long(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % SIZE)
        for _ in range(1000):
            await peer.send(bytes(SIZE // 1000))
        await peer.reader.read()  # until the gateway closes

    async with upstream(long) as web, gateway(rules(ROUTE, policy(fault), port=web.port)) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        size = held = 0
        await client.reader.readuntil(b"\r\n\r\n")
        (connection,) = proxy.worker.connections
        while size < SIZE:
            data = await client.reader.read(1 << 20)
            assert data
            size += len(data)
            exchange = getattr(connection, "current", None)
            held = max(held, getattr(getattr(exchange, "client", exchange), "_held", 0))
        assert 0 < held <= HIGH_WATER + (1 << 19)


@pytest.mark.parametrize("fault", FOREVER)
async def test_a_client_that_leaves_in_the_midst_ends_it(fault: str):
    async with upstream(always(LONG)) as web, gateway(rules(ROUTE, policy(fault), port=web.port)) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        await client.reader.readuntil(b"\r\n\r\n")
        client.close()
        await until(lambda: not proxy.worker.connections)
        assert proxy.worker.policing.as_json()[""]["p"]["met"] == 1


@pytest.mark.parametrize("fault", FOREVER)
async def test_a_gateway_that_ends_does_not_wait_for_it(fault: str):
    async with upstream(always(LONG)) as web:
        made = rules(ROUTE, policy(fault), port=web.port)
        async with gateway(made, drain_seconds=0.1) as proxy:
            client = await proxy.open()
            client.writer.write(get())
            await client.reader.readuntil(b"\r\n\r\n")
        assert await client.ended()
