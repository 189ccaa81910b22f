"""aiohttp accepts and drains connections; the protocol on each connection is ours.

aiohttp's runner calls a `web.Server` for the protocol of each connection (`__call__`) and to wind down (`pre_shutdown`,
`shutdown`); only these public methods are used. docs/performance.md says what aiohttp's own request loop would have
cost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

from aiohttp import web

from chaos.gateway.exchange.downstream import Downstream, Kinds
from chaos.gateway.exchange.observed import Observed, ObservedPoliced
from chaos.gateway.exchange.traced import Traced, TracedPoliced
from chaos.gateway.process.options import BACKLOG
from chaos.gateway.state.worker_state import WorkerState

POLL_SECONDS = 0.02  # while draining: how often to check whether the last connection has closed


class Server(web.Server):
    """The `web.Server` whose connections are Downstream protocols."""

    def __init__(self, worker: WorkerState):
        super().__init__(_never)
        self._worker = worker
        if worker.tracer is not None:
            self._kinds = Kinds(Traced, TracedPoliced)
        else:
            self._kinds = Kinds(Observed, ObservedPoliced) if worker.observers else Kinds()

    def __call__(self) -> Downstream:  # type: ignore[override]
        return Downstream(self._worker, self._kinds)

    def pre_shutdown(self) -> None:
        """Take no more requests: idle connections close now, the others after the requests that they have begun."""
        self._worker.draining = True
        for connection in list(self._worker.connections):
            connection.drain()

    async def shutdown(self, timeout: float | None = None) -> None:
        """Wait for requests in flight, at most `timeout` seconds; then close the connections that are left."""
        loop = asyncio.get_running_loop()
        end = loop.time() + (timeout or 0.0)
        while self._worker.connections and loop.time() < end:  # noqa: ASYNC110 - an event would cost every connection
            await asyncio.sleep(POLL_SECONDS)
        for connection in list(self._worker.connections):
            connection.abort()


async def _never(request: web.BaseRequest) -> NoReturn:
    raise AssertionError("requests never reach aiohttp's handler: the protocol is ours")


@asynccontextmanager
async def serving(worker: WorkerState, listener: socket.socket, drain_seconds: float) -> AsyncIterator[None]:
    """Accept connections for `worker` on a bound socket until the block ends; then wait for the requests in flight, at
    most `drain_seconds`."""
    runner = web.ServerRunner(Server(worker), shutdown_timeout=drain_seconds)
    await runner.setup()
    await web.SockSite(runner, listener, backlog=BACKLOG).start()
    try:
        yield
    finally:
        await runner.cleanup()
        worker.close()
        # One turn of the loop, in which cancelled tasks and aborted transports end.
        await asyncio.sleep(0)
