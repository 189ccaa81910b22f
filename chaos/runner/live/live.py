"""Show a run on the live page, beside the terminal: its own (`--live`), and the Faults tab of Locust's web UI
(`--ui`)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

from chaos.journal.records import Record
from chaos.load.gateway_admin import GatewayAdmin
from chaos.protocol.live_state import FETCHED, LiveState
from chaos.runner.live.server import LiveServer
from chaos.runner.live.state import Document
from chaos.runner.processes.load import LoadProcess
from chaos.runner.terminal.result import RunResult
from chaos.runner.terminal.view import State, View

EVERY = 0.9  # seconds between documents; digests come twice a second
GRACE = 1.0  # seconds beyond FETCHED for Locust's process to end


class Live(View):
    """Follows the journal's records, and sends the page a new document about once a second. `url` is the address of the
    page's own server, empty without one."""

    def __init__(self, server: LiveServer | None, load: LoadProcess | None):
        self._server, self._load = server, load
        self._document = Document()
        self._sent_at = 0.0
        self.url = server.url if server is not None else ""

    def observe(self, record: Record) -> None:
        """Take a record as it was written to the journal."""
        self._document.observe(record)
        if record.type in ("plan", "phase", "event", "end"):
            self._send()

    def use_gateway(self, admin: str) -> None:
        """Let the page switch the faults of the gateway with this admin address."""
        if self._server is not None:
            self._server.pages.gateway = GatewayAdmin(admin)

    def wait_for_start(self) -> None:
        """Show that the load waits for somebody to start it."""
        self._document.stage = "waiting"
        self._send()

    def event(self, level: str, text: str) -> None:
        if self._document.stage == "ending":  # the journal has its last record
            self._document.tell(level, text)
            self._send()

    def update(self, state: State) -> None:
        self._document.left = state.left
        if time.monotonic() - self._sent_at >= EVERY:
            self._send()

    def end(self, result: RunResult) -> None:
        report = result.folder / "report.html" if result.folder is not None else Path()
        self._document.stage = "over"
        self._document.report = str(report.absolute()) if report.is_file() else ""

    def _send(self) -> None:
        state = self._next()
        if self._server is not None:
            self._server.board.show(state)
        if self._load is not None and self._load.began:
            self._load.offer("live", state=state)

    def _next(self) -> LiveState:
        self._sent_at = time.monotonic()
        return self._document.state()

    async def close(self) -> None:
        """Send the last document, and give open pages time to fetch it and the report."""
        state = self._next()
        if self._server is not None:
            self._server.board.show(state)
        waits: list[Awaitable[object]] = []
        if self._load is not None and self._load.began and self._load.child.alive:
            await self._load.command("live", state=state)
            await self._load.command("leave")
            waits.append(self._load.child.process.wait())
        if self._server is not None:
            waits.append(asyncio.to_thread(self._server.board.wait_for_pages, FETCHED))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FETCHED + GRACE):
                await asyncio.gather(*waits)


@contextlib.asynccontextmanager
async def watched(address: str | None, load: LoadProcess | None) -> AsyncIterator[Live]:
    """Serve the live page at an address, show the run in the web UI of this load, or both. Raises EnvironmentFailed if
    the page's server cannot listen there."""
    server = LiveServer(address) if address is not None else None
    try:
        yield Live(server, load)
    finally:
        if server is not None:
            server.close()
