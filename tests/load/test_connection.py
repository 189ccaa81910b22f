"""The lean client reads every kind of answer to its end, and has one word for each way of getting none."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from time import perf_counter

import gevent
import pytest
from gevent.socket import wait_read
from support.origin import Answer, Asked, Origin, ok

from chaos.load.connection import Connection, Failed, resolve
from chaos.load.deadlines import Deadlines

GET = b"GET / HTTP/1.1\r\nhost: web\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nhost: web\r\n\r\n"


def fixed(*pieces: bytes, close: bool = False, pause: float = 0.0) -> Answer:
    """Answers with these octets, piece by piece."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        if close:
            writer.close()

    return answer


def exchange(connection: Connection, request: bytes = GET, timeout: float = 5.0) -> tuple[int, bytes, bytes]:
    answer = connection.exchange(request, request.startswith(b"HEAD"), perf_counter(), timeout)
    connection.used = perf_counter()
    return answer


@pytest.fixture
def opened() -> Iterator[list[Connection]]:
    """Connections that are closed when the test is over."""
    made: list[Connection] = []
    yield made
    for connection in made:
        connection.close()


def to(origin: Origin, opened: list[Connection], host: str = "127.0.0.1") -> Connection:
    opened.append(Connection(resolve(host, origin.port)))
    return opened[-1]


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length: "


@pytest.mark.parametrize(
    ("pieces", "status", "body", "size"),
    [
        ([LENGTH + b"5\r\n\r\nhello"], 200, b"hello", 5),
        ([LENGTH + b"0\r\n\r\n"], 200, b"", 0),
        ([LENGTH + b"5\r\n\r", b"\nhe", b"llo"], 200, b"he", 5),
        ([LENGTH + b"300000\r\n\r\n", b"a" * 100_000, b"b" * 200_000], 200, b"a" * 32, 300000),
        ([CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"], 200, b"hello", 5),
        ([CHUNKED, b"5;x=y\r\nhel", b"lo\r\n3\r\nyou\r", b"\n0\r\nt: 1\r\n", b"\r\n"], 200, b"hel", 8),
        ([CHUNKED, b"30d40\r\n" + b"c" * 200_000 + b"\r\n", b"0\r\n\r\n"], 200, b"c" * 32, 200000),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b"", 0),
        ([b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"], 304, b"", 0),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", LENGTH + b"2\r\n\r\nok"], 200, b"ok", 2),
        ([b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + LENGTH + b"2\r\n\r\nok"], 200, b"ok", 2),
        ([b"HTTP/1.1 503 x\r\ncontent-length: 18\r\n\r\nfault filter abort"], 503, b"fault filter abort", 18),
    ],
)  # fmt: skip
def test_an_answer_is_read_to_its_end_and_the_connection_used_again(
    pieces: list[bytes], status: int, body: bytes, size: int, opened: list[Connection]
) -> None:
    with Origin(fixed(*pieces, pause=0.002)) as origin:
        connection = to(origin, opened)
        for _ in range(3):
            answered, _, first = exchange(connection)
            assert answered == status
            assert body.startswith(first[: len(body)])
            assert first or not body
            assert connection.size == size
    assert (len(origin.asked), origin.connections) == (3, 1)


def test_head_has_no_body_whatever_its_length_says(opened: list[Connection]) -> None:
    with Origin(fixed(LENGTH + b"500\r\n\r\n")) as origin:
        connection = to(origin, opened)
        assert [exchange(connection, HEAD)[0] for _ in range(2)] == [200, 200]
    assert origin.connections == 1


def test_many_small_chunks_at_once_are_read_in_linear_time(opened: list[Connection]) -> None:
    """Each is skipped where it stands; the rest is not copied for every one of them."""
    with Origin(fixed(CHUNKED + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")) as origin:
        connection = to(origin, opened)
        assert exchange(connection)[0] == 200
        assert connection.size == 100_000


@pytest.mark.parametrize(
    "answer",
    [
        fixed(b"HTTP/1.1 200 OK\r\n\r\nto the end", close=True),
        fixed(LENGTH + b"2\r\nconnection: close\r\n\r\nok", close=True),
        fixed(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", close=True),
        fixed(LENGTH + b"2\r\n\r\nok and more"),
    ],
    ids=["until close", "connection: close", "HTTP/1.0", "surplus"],
)
def test_a_connection_that_cannot_be_used_again_is_not(answer: Answer, opened: list[Connection]) -> None:
    with Origin(answer) as origin:
        connection = to(origin, opened)
        assert [exchange(connection)[0] for _ in range(2)] == [200, 200]
    assert origin.connections == 2


def test_the_head_from_the_first_tag_on_is_given(opened: list[Connection]) -> None:
    with Origin(fixed(LENGTH + b"0\r\ndate: x\r\nx-chaos-route: A[0]\r\nx-chaos-phase: p\r\n\r\n")) as origin:
        assert exchange(to(origin, opened))[1] == b"x-chaos-route: A[0]\r\nx-chaos-phase: p"


def test_large_requests_are_sent_whole(opened: list[Connection]) -> None:
    body = bytes(range(256)) * 20_000

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(asked, body=str(len(asked.body)).encode()))

    with Origin(answer) as origin:
        request = b"POST / HTTP/1.1\r\nhost: web\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        assert exchange(to(origin, opened), request)[2] == b"5120000"
        assert origin.asked[0].body == body


def test_an_answer_to_a_request_that_was_not_read_to_its_end_counts(opened: list[Connection]) -> None:
    """413 and a close while the body is still being sent."""

    class Hasty(Origin):
        async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.transport.abort()

    with Hasty(fixed()) as origin:
        request = b"POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 90000000\r\n\r\n" + b"x" * 90_000_000
        try:
            seen = str(exchange(to(origin, opened), request)[0])
        except Failed as failed:
            seen = failed.kind
    assert seen in ("413", "reset")  # the reset may overtake the answer (RFC 9112, 9.6)


async def reset(asked: Asked, writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    writer.transport.abort()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reset, "reset"),
        (fixed(close=True), "closed"),
        (fixed(b"HTTP/1.1 200 OK\r\ncontent-le", close=True), "closed"),
        (fixed(LENGTH + b"10\r\n\r\nhalf", close=True), "closed"),
        (fixed(CHUNKED + b"5\r\nhello\r\n", close=True), "closed"),
        (fixed(), "timeout"),
        (fixed(LENGTH + b"10\r\n\r\nhalf"), "timeout"),
        (fixed(b"HTTP/1.1 200 OK\r\n\r\nendless"), "timeout"),
        (fixed(b"SSH-2.0-OpenSSH\r\n\r\n"), "malformed"),
        (fixed(LENGTH + b"ten\r\n\r\n"), "malformed"),
        (fixed(CHUNKED + b"five\r\nhello\r\n0\r\n\r\n"), "malformed"),
        (fixed(CHUNKED + b"5\r\nhello and more\r\n0\r\n\r\n"), "malformed"),
        (fixed(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000), "malformed"),
    ],
)
def test_each_way_of_getting_no_answer_has_its_word(answer: Answer, kind: str, opened: list[Connection]) -> None:
    """And the next request goes over a new connection."""
    with Origin(answer) as origin:
        connection = to(origin, opened)
        deadlines = Deadlines(0.1)
        deadlines.watch(connection)
        sweeper = gevent.spawn(deadlines.run)
        for _ in range(2):
            with pytest.raises(Failed) as failed:
                exchange(connection, timeout=0.1)
            assert failed.value.kind == kind
        sweeper.kill()
    assert origin.connections == 2


def test_nobody_listening_is_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(Failed, match="refused"):
            exchange(Connection(resolve("127.0.0.1", unused.getsockname()[1])))


def test_a_connection_closed_while_idle_is_replaced_before_it_is_used(opened: list[Connection]) -> None:
    """Nobody saw a failure: the server may close what is idle (RFC 9112, 9.3.1)."""
    with Origin(fixed(LENGTH + b"2\r\n\r\nok", close=True)) as origin:
        connection = to(origin, opened)
        exchange(connection)
        wait_read(connection._socket.fileno())  # the close has arrived
        connection.used -= 1.0  # and is looked for, as after any pause
        assert exchange(connection)[0] == 200
    assert origin.connections == 2


def test_a_timeout_is_kept_to_within_a_sweep(opened: list[Connection]) -> None:
    with Origin(fixed()) as origin:
        connection = to(origin, opened)
        deadlines = Deadlines(0.2)
        deadlines.watch(connection)
        sweeper = gevent.spawn(deadlines.run)
        began = perf_counter()
        with pytest.raises(Failed, match="timeout"):
            exchange(connection, timeout=0.2)
        took = perf_counter() - began
        sweeper.kill()
    assert 0.2 <= took < 1.0
    assert deadlines.interval == pytest.approx(0.004)


def test_localhost_is_found_whichever_family_listens(opened: list[Connection]) -> None:
    with Origin(fixed(LENGTH + b"2\r\n\r\nok")) as origin:
        assert exchange(to(origin, opened, "localhost"))[0] == 200
