"""aiohttp accepts and drains; the protocol on each connection is ours.

A `web.Server` is what aiohttp's runner asks for a protocol per connection (`__call__`) and tells to wind down
(`pre_shutdown`, `shutdown`); only these public methods are used. docs/performance.md says what its own request loop
would have cost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

from aiohttp import web

from chaos.gateway.exchange.downstream import Downstream
from chaos.gateway.process.options import BACKLOG
from chaos.gateway.state.worker_state import WorkerState

POLL_SECONDS = 0.02  # how often draining looks whether the last connection has gone


class Server(web.Server):
    def __init__(self, plane: WorkerState):
        super().__init__(_never)
        self._plane = plane

    def __call__(self) -> Downstream:  # type: ignore[override]
        return Downstream(self._plane)

    def pre_shutdown(self) -> None:
        """No connection takes another request; idle ones close."""
        self._plane.draining = True
        for connection in list(self._plane.connections):
            connection.drain()

    async def shutdown(self, timeout: float | None = None) -> None:
        """Waits for requests in flight, at most `timeout` seconds; then closes whatever is left."""
        loop = asyncio.get_running_loop()
        end = loop.time() + (timeout or 0.0)
        while self._plane.connections and loop.time() < end:  # noqa: ASYNC110 - an event would cost every connection
            await asyncio.sleep(POLL_SECONDS)
        for connection in list(self._plane.connections):
            connection.abort()


async def _never(request: web.BaseRequest) -> NoReturn:
    raise AssertionError("requests never reach aiohttp's handler: the protocol is ours")


@asynccontextmanager
async def serving(plane: WorkerState, listener: socket.socket, drain_seconds: float) -> AsyncIterator[None]:
    """Accepts connections for `plane` on a bound socket; leaves when the last request in flight has been answered."""
    runner = web.ServerRunner(Server(plane), shutdown_timeout=drain_seconds)
    await runner.setup()
    await web.SockSite(runner, listener, backlog=BACKLOG).start()
    try:
        yield
    finally:
        await runner.cleanup()
        plane.close()
        await asyncio.sleep(0)
