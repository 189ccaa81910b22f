"""An HTTP/1.1 client for tests that sends octets as they are given and hides nothing of the answer.

Ordinary clients tidy up what they send and what they show; a test of a proxy must not."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Answer:
    """What came back. `status` 0 and `error` when there was no answer; `cut` when the body ended early."""

    status: int = 0
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    interim: list[int] = field(default_factory=list)
    trailers: Headers = field(default_factory=list)
    error: str = ""
    cut: bool = False
    upgraded: bytes = b""
    seconds: float = 0.0

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def first(self, name: str, default: str = "") -> str:
        return next(iter(self.values(name)), default)


def encode(method: str, target: str, headers: Headers, body: bytes = b"") -> bytes:
    """A request as octets; a content-length is added for a body that has no framing of its own."""
    names = {name.lower() for name, _ in headers}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if (body or method in ("POST", "PUT", "PATCH")) and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"content-length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class Connection:
    """One connection to a proxy, opened when needed and again after the other side has closed it."""

    def __init__(self, port: int, host: str = "127.0.0.1"):
        self.host, self.port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, data: bytes, *, timeout: float = 20.0) -> Answer:
        began = time.monotonic()
        answer = Answer()
        head_only = data.startswith(b"HEAD ")
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await self._open()
                writer.write(data)
                await writer.drain()
                await read_answer(reader, writer, answer, head_only)
        except TimeoutError:
            answer.error = "timeout"
        except (ConnectionError, asyncio.IncompleteReadError, ValueError) as error:
            answer.error = answer.error or ("" if answer.status else f"closed: {type(error).__name__}")
            answer.cut = bool(answer.status)
        answer.seconds = time.monotonic() - began
        if answer.error or answer.cut or answer.upgraded or "close" in answer.first("connection"):
            await self.close()
        return answer

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and self._streams[0].at_eof():
            await self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
        return self._streams

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def send(port: int, data: bytes, *, timeout: float = 20.0) -> Answer:
    """One request on a connection of its own."""
    connection = Connection(port)
    try:
        return await connection.send(data, timeout=timeout)
    finally:
        await connection.close()


async def read_answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer, head_only: bool
) -> None:
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        status = int(first.split(" ")[1])
        if not 100 <= status < 200 or status == 101:
            break
        answer.interim.append(status)
    pairs = [line.partition(":") for line in lines if line]
    answer.status, answer.headers = status, [(key.lower(), value.strip(" \t")) for key, _, value in pairs]
    if status == 101:
        writer.write(b"ping")
        answer.upgraded = await asyncio.wait_for(reader.readexactly(4), 5)
    elif not head_only and status not in (204, 304):
        await _read_body(reader, answer)


async def _read_body(reader: asyncio.StreamReader, answer: Answer) -> None:
    if "chunked" in answer.first("transfer-encoding"):
        while size := int((await reader.readline()).split(b";")[0] or b"z", 16):
            answer.body += await reader.readexactly(size)
            await reader.readexactly(2)
        while line := (await reader.readline()).strip():
            key, _, value = line.decode("latin-1").partition(":")
            answer.trailers.append((key.lower(), value.strip()))
        return
    if not answer.values("content-length"):
        answer.body = await reader.read()
        return
    left = int(answer.first("content-length"))
    while left:
        part = await reader.read(left)
        if not part:
            raise ConnectionError("the body ended early")
        answer.body += part
        left -= len(part)
