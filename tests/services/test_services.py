"""The built-in services over real sockets: what they say, how often they fail, and that they keep to HTTP."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.services.client import Client
from chaos.services.http import Handler, HttpServerProtocol, Request, Response
from chaos.services.proxy import Proxy
from chaos.services.webserver import fails, webserver

WEB = webserver("webserverv1-1", "v1", 7, chance=random.Random(1))


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    connections: list[HttpServerProtocol] = []

    def connected() -> HttpServerProtocol:
        connections.append(HttpServerProtocol(handler))
        return connections[-1]

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in connections:
            connection.close()
        await asyncio.sleep(0)  # transports close in the loop's next turn


async def ask(port: int, octets: bytes) -> Response:
    """One request on a connection of its own."""
    with closing(Client("127.0.0.1", port)) as client:
        return await client.request(octets)


@contextmanager
def proxy_to(port: int, url: str = "http://webserver/", retries: int = 0) -> Iterator[Proxy]:
    """The built-in proxy, calling through a gateway at this port."""
    proxy = Proxy("proxy-1", url, retries)
    proxy.use_gateway(("127.0.0.1", port))
    with closing(proxy):
        yield proxy


async def talk(port: int, octets: bytes) -> bytes:
    """Everything that comes back until the connection is closed or half a second of silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(octets)
    got = b""
    try:
        async with asyncio.timeout(0.5):
            while data := await reader.read(65536):
                got += data
    except TimeoutError:
        pass
    writer.close()
    return got


async def test_the_webserver_says_who_it_is() -> None:
    async with serving(WEB) as port:
        answer = await ask(port, b"GET /anything?x=1 HTTP/1.1\r\nhost: webserver\r\n\r\n")
    assert (answer.status, answer.body) == (200, b"WebServer V1 from webserverv1-1\n")
    assert dict(answer.headers)[b"x-served-by"] == b"webserverv1-1"


async def test_head_has_no_body_and_pipelined_requests_are_answered_in_order() -> None:
    async with serving(WEB) as port:
        got = await talk(
            port,
            b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n"
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello"
            b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        )
    assert got.count(b"HTTP/1.1 200 OK") == 3
    assert got.count(b"WebServer V1") == 2
    assert b"connection: close" in got


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", b"200"),
    ],
)
async def test_after_what_is_not_served_the_connection_is_closed(octets: bytes, status: bytes) -> None:
    async with serving(WEB) as port:
        got = await talk(port, octets)
    assert got.startswith(b"HTTP/1.1 " + status) and b"connection: close" in got


@pytest.mark.parametrize("attempt", [b"1", b"2", b"4"])
def test_a_quarter_of_the_requests_fails_sometimes(attempt: bytes) -> None:
    """20 000 keyed draws: within five standard deviations of a quarter."""
    count = sum(fails(b"seed", b"%d" % number, attempt) for number in range(20_000))
    assert abs(count - 5000) < 5 * (20_000 * 0.25 * 0.75) ** 0.5


def test_tries_of_one_request_fail_independently() -> None:
    both = sum(fails(b"s", b"%d" % n, b"1") and fails(b"s", b"%d" % n, b"2") for n in range(20_000))
    assert abs(both - 1250) < 5 * (20_000 / 16 * 15 / 16) ** 0.5


@given(st.binary(max_size=40), st.binary(max_size=3))
def test_the_same_request_fails_again(request_id: bytes, attempt: bytes) -> None:
    assert fails(b"k", request_id, attempt) == fails(b"k", request_id, attempt)


async def test_failssometimes_follows_id_and_try() -> None:
    failing = next(b"%d" % n for n in range(100) if fails((7).to_bytes(8, "big"), b"%d" % n, b"1"))
    headers = {b"x-request-id": failing}
    first = WEB(Request("GET", b"/failssometimes?x", headers))
    assert first.status == 500 and b"failed" in first.body
    assert WEB(Request("GET", b"/elsewhere", headers)).status == 200


async def test_the_proxy_passes_path_and_id_on_and_shows_what_it_got() -> None:
    seen: list[Request] = []

    def upstream(request: Request) -> Response:
        seen.append(request)
        return Response(200, b"hello\n")

    async with serving(upstream) as port:
        with proxy_to(port, "http://webserver/base/") as proxy:
            answer = await proxy(Request("GET", b"/path?q=1", {b"x-request-id": b"42", b"host": b"proxy"}))
    assert re.fullmatch(rb"Proxying value: hello - Took \d+ milliseconds\n", answer.body)
    assert (seen[0].target, seen[0].headers[b"host"], seen[0].headers[b"x-request-id"]) == (
        b"/base/path?q=1", b"webserver", b"42",
    )  # fmt: skip


async def test_the_proxy_shows_errors_with_their_status() -> None:
    async with serving(lambda _: Response(400, b"fault filter abort")) as port:
        with proxy_to(port) as proxy:
            answer = await proxy(Request("GET", b"/", {}))
    assert answer.status == 400
    assert answer.body.startswith(b"Proxying value: 400 fault filter abort - Took ")


async def test_the_proxy_answers_502_when_nobody_answers() -> None:
    async with serving(WEB) as port:
        pass
    with proxy_to(port) as proxy:
        answer = await proxy(Request("GET", b"/", {}))
    assert answer.status == 502 and b"no answer from webserver" in answer.body


async def test_the_proxy_tries_again_with_an_id_of_its_own() -> None:
    """The same id would meet the same dice at the gateway."""
    ids: list[bytes] = []

    def upstream(request: Request) -> Response:
        ids.append(request.headers[b"x-request-id"])
        return Response(503 if len(ids) < 3 else 200, b"x")

    async with serving(upstream) as port:
        with proxy_to(port, retries=2) as proxy:
            answer = await proxy(Request("GET", b"/", {b"x-request-id": b"id"}))
    assert answer.status == 200 and ids == [b"id", b"id-retry1", b"id-retry2"]


async def test_a_stale_pooled_connection_is_replaced() -> None:
    """The server closes after each answer without saying so."""

    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
    with closing(Client("127.0.0.1", server.sockets[0].getsockname()[1])) as client:
        assert [(await client.request(request)).body for _ in range(5)] == [b"ok"] * 5
    server.close()
