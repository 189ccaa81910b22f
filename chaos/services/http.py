"""A small HTTP/1.1 server protocol for the built-in services, on asyncio and llhttp.

It owns parsing, framing, keep-alive and limits; the response comes from a function of the `Request`, or a coroutine.
Why not an aiohttp application: in an experiment the services share the cores with the gateway and the load, and the
built-in service must not be what limits a run. This answers 36 000 requests/s on one core (wrk, 32 connections), and
starts without aiohttp's import."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast

import httptools

MAX_HEAD = 64 * 1024
MAX_BODY = 8 * 1024 * 1024
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Request:
    """A whole request. Header names in lower case; `target` is path and query as sent."""

    method: str
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes = b""

    @property
    def path(self) -> bytes:
        return self.target.split(b"?", 1)[0]


@dataclass(slots=True)
class Response:
    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


Handler = Callable[[Request], Response | Coroutine[Any, Any, Response]]


def encode(response: Response, *, head_only: bool = False, close: bool = False) -> bytes:
    """Return the response as bytes; content-length is added here."""
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}".encode()]
    lines += [name + b": " + value for name, value in response.headers]
    lines.append(b"content-length: %d" % len(response.body))
    if close:
        lines.append(b"connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if head_only else response.body)


@dataclass(slots=True)
class _Partial:
    """A request while it is being parsed."""

    target: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: list[bytes] = field(default_factory=list)
    size: int = 0


class HttpServerProtocol(asyncio.Protocol):
    """One connection. Pipelined requests are answered in order, and the handler has one at a time."""

    def __init__(self, handler: Handler):
        self._handler = handler
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._partial = _Partial()
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # an unsupported upgrade is ignored (RFC 9110, 7.8): the request has been answered as a plain one
        except httptools.HttpParserError:
            self._refuse(400, b"not an HTTP/1.1 request")

    # ---------------------------------------------------------------- llhttp's callbacks
    def on_message_begin(self) -> None:
        self._partial = _Partial()

    def on_url(self, url: bytes) -> None:
        self._partial.target += url
        self._grow(len(url), MAX_HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._partial.headers[name.lower()] = value
        self._grow(len(name) + len(value), MAX_HEAD)

    def on_headers_complete(self) -> None:
        self._partial.size = 0
        if self._partial.headers.get(b"expect", b"").lower() == b"100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._partial.body.append(body)
        self._grow(len(body), MAX_BODY)

    def on_message_complete(self) -> None:
        """Answer the request, or queue it while another is with the handler."""
        partial, method = self._partial, self._parser.get_method().decode()
        request = Request(method, partial.target, partial.headers, b"".join(partial.body))
        keep_alive = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        if self._task is not None or self._waiting:
            self._waiting.append((request, keep_alive))
            return
        self._answer(request, keep_alive)

    # ---------------------------------------------------------------- answering
    def _grow(self, size: int, limit: int) -> None:
        self._partial.size += size
        if self._partial.size > limit:
            self._refuse(431 if limit == MAX_HEAD else 413, b"too large")

    def _refuse(self, status: int, text: bytes) -> None:
        self._write(Response(status, text, ((b"content-type", b"text/plain"),)), head_only=False, keep_alive=False)

    def _answer(self, request: Request, keep_alive: bool) -> None:
        answer = self._handler(request)
        if isinstance(answer, Response):
            self._write(answer, head_only=request.method == "HEAD", keep_alive=keep_alive)
            return
        if self._transport is not None:
            self._transport.pause_reading()
        self._task = asyncio.ensure_future(self._answer_later(answer, request, keep_alive))

    async def _answer_later(self, answer: Coroutine[Any, Any, Response], request: Request, keep_alive: bool) -> None:
        response = await answer
        self._task = None
        self._write(response, head_only=request.method == "HEAD", keep_alive=keep_alive)
        while self._waiting and self._task is None:
            self._answer(*self._waiting.popleft())
        if self._task is None and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _write(self, response: Response, *, head_only: bool, keep_alive: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(encode(response, head_only=head_only, close=not keep_alive))
        if not keep_alive:
            self._transport.close()
