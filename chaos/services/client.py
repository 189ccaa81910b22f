"""Keep-alive HTTP/1.1 requests to one address, for the built-in proxy. One pool, one origin, no redirects, no
cookies."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

import httptools

from chaos.services.http import Response

_MAX_IDLE = 512


@dataclass(slots=True)
class _Answer:
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: list[bytes] = field(default_factory=list)
    started: bool = False


class _Connection(asyncio.Protocol):
    """A connection with one request at a time; `send` returns the future of its response."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer = _Answer()
        self._future: asyncio.Future[Response] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self.reusable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail(exc or ConnectionResetError("closed before a response"))

    @property
    def alive(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def answered(self) -> bool:
        """Whether bytes of a response have arrived."""
        return self._answer.started

    def send(self, data: bytes) -> asyncio.Future[Response]:
        if self._transport is None:
            raise ConnectionResetError("the connection is closed")
        self._answer, self.reusable = _Answer(), False
        self._parser = httptools.HttpResponseParser(self)
        self._future = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return self._future

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._answer.started = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"malformed response: {error}"))
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._answer.body.append(body)

    def on_message_complete(self) -> None:
        if 100 <= self._answer.status < 200:
            self._answer = _Answer(started=True)
            return
        self.reusable = self._parser.should_keep_alive()
        future, self._future = self._future, None
        if future is not None and not future.done():
            future.set_result(Response(self._answer.status, b"".join(self._answer.body), tuple(self._answer.headers)))

    def _fail(self, error: Exception) -> None:
        future, self._future = self._future, None
        if future is not None and not future.done():
            future.set_exception(error)


class Client:
    """A pool of connections to one address."""

    def __init__(self, host: str, port: int, *, timeout: float = 60.0):
        self.host, self.port, self.timeout = host, port, timeout
        self._idle: list[_Connection] = []

    async def request(self, data: bytes) -> Response:
        """Send one whole request and return its response. A pooled connection that turns out stale is replaced.

        Raises OSError (refused, reset) or TimeoutError."""
        async with asyncio.timeout(self.timeout):
            while self._idle:
                connection = self._idle.pop()
                if not connection.alive:
                    continue
                try:
                    return await self._exchange(connection, data)
                except OSError:
                    if connection.answered:
                        raise
            return await self._exchange(await self._connect(), data)

    def close(self) -> None:
        """Close the connections that are idle."""
        while self._idle:
            self._idle.pop().close()

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self.host, self.port)
        return connection

    async def _exchange(self, connection: _Connection, data: bytes) -> Response:
        try:
            response = await connection.send(data)
        except BaseException:
            connection.close()
            raise
        if connection.reusable and len(self._idle) < _MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return response
