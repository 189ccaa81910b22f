"""Copies of requests: sent once, never waited for, never noticed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from support.decisions import cluster, retrying, to
from support.scripted import (
    OK,
    InProcess,
    Script,
    Server,
    always,
    always_ok,
    chunked,
    gateway,
    get,
    hangs,
    in_turn,
    post,
    resets,
    until,
    upstream,
)


def copy_to(*ports: int) -> object:
    return cluster(*ports, name="mirror.default.svc.cluster.local:80")


@asynccontextmanager
async def mirrored(script: Script = always_ok) -> AsyncIterator[tuple[InProcess, Server, Server]]:
    """A gateway, its upstream, and the mirror's."""
    async with (
        upstream() as web,
        upstream(script) as copy,
        gateway(to(cluster(web.port), mirrors=(copy_to(copy.port),))) as proxy,
    ):
        yield proxy, web, copy


async def test_the_copy_has_the_same_head_and_body() -> None:
    async with mirrored() as (proxy, web, copy):
        for data, body in [
            (get("/a?b", "x: 1"), b""),
            (post(b"hello"), b"hello"),
            (chunked(b"wi", b"ki"), b"wiki"),
        ]:
            assert (await proxy.ask(data)).body == b"ok"
            await until(lambda: len(copy.bodies) == len(web.bodies))
            assert copy.bodies[-1] == body
            original, copied = (head[-1].split(b"\r\n") for head in (web.heads, copy.heads))
            assert set(original) <= set(copied) and copied[0] == original[0]
        assert proxy.counts()["mirrored"] == 3 and sum(proxy.counts()["mirrors"].values()) == 3


@pytest.mark.parametrize("script", [resets, hangs, always(b"garbage\r\n\r\n"), always(b"HTTP/1.1 500 X\r\n\r\n")])
async def test_whatever_becomes_of_the_copy_the_answer_is_upstreams(script: object) -> None:
    async with mirrored(script) as (proxy, _, copy):  # type: ignore[arg-type]
        client = await proxy.open()
        for _ in range(3):
            assert (await client.ask(get())).body == b"ok"
        await until(lambda: len(copy.heads) == 3)


async def test_a_copy_to_nowhere_is_not_noticed() -> None:
    async with upstream() as web, gateway(to(cluster(web.port), mirrors=(copy_to(), copy_to(1)))) as proxy:
        assert (await proxy.ask(get())).status == 200


async def test_retries_send_no_further_copies() -> None:
    gone = b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n"
    async with upstream(in_turn(gone, gone, OK)) as web, upstream() as copy:
        rules = to(cluster(web.port), mirrors=(copy_to(copy.port),), retry=retrying(3, 503))
        async with gateway(rules) as proxy:
            assert (await proxy.ask(post(b"hello"))).status == 200
            assert (web.bodies, copy.bodies) == ([b"hello"] * 3, [b"hello"])


async def test_copies_share_kept_connections() -> None:
    async with mirrored() as (proxy, _, copy):
        for n in range(1, 6):
            await proxy.ask(get())
            (host,) = proxy.pools()["mirror.default.svc.cluster.local:80"].hosts
            await until(lambda n=n, host=host: len(copy.heads) == n and host.idle)
        assert copy.connections == 1
