"""Octets through a proxy to an upstream that writes down what it reads: what a client got, and what upstream saw.

Nothing here tidies up: the client sends what it is given, and the upstream reads requests in its own, strict way, so
that octets which a proxy leaves behind a request show as a further request, or as what cannot be read at all."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from support.raw_client import Answer, Headers, read_answer

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
AFTER = b"GET /after HTTP/1.1\r\nhost: web\r\n\r\n"
SECONDS = 10.0

_LENGTH = re.compile(r"[0-9]+")


@dataclass(slots=True)
class Written:
    """A request as upstream has read it; `start` is its first line, or what came in its place."""

    start: str
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    trailers: bytes = b""


@dataclass
class Recorder:
    """An upstream. Requests for /after, which tests send to see that all is well, are answered and not kept."""

    port: int
    answer: bytes = OK
    ending: str = ""  # after the answer: "" to read on, "close", "reset"
    requests: list[Written] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await read_written(reader)
            if request.start.startswith("GET /after "):
                writer.write(OK)
                continue
            self.requests.append(request)
            writer.write(self.answer)
            if self.ending:
                await writer.drain()
                if self.ending == "reset":
                    sock = writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return


async def read_written(reader: asyncio.StreamReader) -> Written:
    """The next request; one that cannot be read is kept as far as it has come, and ends the connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head[:-4].split("\r\n")
    headers = [(name.lower(), value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)]
    request = Written(start, headers)
    lengths = [value for name, value in headers if name == "content-length"]
    codings = [value for name, value in headers if name == "transfer-encoding"]
    if codings == ["chunked"] and not lengths:
        await _read_chunks(reader, request)
    elif len(lengths) == 1 and _LENGTH.fullmatch(lengths[0]) and not codings:
        request.body = await reader.readexactly(int(lengths[0]))
    elif lengths or codings:
        request.start = f"ambiguous: {start} {lengths} {codings}"
    return request


async def _read_chunks(reader: asyncio.StreamReader, request: Written) -> None:
    while size := int(await reader.readuntil(b"\r\n"), 16):
        request.body += (await reader.readexactly(size + 2))[:-2]
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        request.trailers += line


@asynccontextmanager
async def recorder() -> AsyncIterator[Recorder]:
    found = Recorder(0)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await found.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except ValueError as error:
            found.requests.append(Written(f"unreadable: {error}"))
        finally:
            tasks.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 22)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*list(tasks), return_exceptions=True)


# ------------------------------------------------------------------------------------------------ the client


@dataclass(slots=True)
class Outcome:
    """What a client got on one connection: answers, and whether the connection could serve on (`open`), which a
    further request shows. `surplus` is what came and was no answer."""

    answers: list[Answer] = field(default_factory=list)
    open: bool = False
    surplus: bytes = b""
    upstream: list[Written] = field(default_factory=list)

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]


async def play(
    port: int, pieces: tuple[bytes, ...], upstream: Recorder, *, answers: int, stays_open: bool, copies: int
) -> Outcome:
    """Sends the octets on a connection of its own and reads that many answers; then asks once more where the
    connection is said to stay open, and waits for its end otherwise. A second connection shows that all that was
    left for upstream has arrived there; `copies` (of mirrors), which come when they like, are waited for."""
    upstream.requests = []
    outcome = Outcome()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    try:
        async with asyncio.timeout(SECONDS):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)  # a turn of the loop, for the piece to go out on its own
            for _ in range(answers):
                await _answer(reader, writer, outcome, pieces[0].startswith(b"HEAD "))
            if stays_open:
                await _ask_once_more(reader, writer, outcome)
            else:
                outcome.surplus = await _rest(reader, writer)
    finally:
        writer.transport.abort()
    await _settle(port)
    async with asyncio.timeout(SECONDS):
        while len(upstream.requests) < copies:  # noqa: ASYNC110 - nothing tells when a copy arrives
            await asyncio.sleep(0.002)
    outcome.upstream = upstream.requests
    return outcome


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, outcome: Outcome, head_only: bool
) -> None:
    answer = Answer()
    outcome.answers.append(answer)
    try:
        await read_answer(reader, writer, answer, head_only)
    except (ConnectionError, asyncio.IncompleteReadError, ValueError):
        answer.cut = True


async def _ask_once_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, outcome: Outcome) -> None:
    writer.write(AFTER)
    after = Answer()
    with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
        await read_answer(reader, writer, after, False)
    outcome.open = (after.status, after.body) == (200, b"ok")


async def _rest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """What still comes. Envoy waits a second before it closes, unless it sees that the client has gone."""
    try:
        writer.write_eof()
        return await reader.read()
    except ConnectionError:
        return b""


async def _settle(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(SECONDS):
            writer.write(AFTER)
            answer = Answer()
            await read_answer(reader, writer, answer, False)
            assert answer.status == 200, answer
    finally:
        writer.transport.abort()
