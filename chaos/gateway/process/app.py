"""What a gateway process is made of: a data plane, the admin API, and the wish to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from chaos.gateway.process.admin import admin_app
from chaos.gateway.process.control import Control, Controls
from chaos.gateway.process.options import GatewayOptions, url_of
from chaos.gateway.process.reload import watch
from chaos.gateway.process.server import serving
from chaos.gateway.state.worker_state import RuleSet, WorkerState

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@asynccontextmanager
async def running(
    options: GatewayOptions, rules: RuleSet, listener: socket.socket, worker: int = 0
) -> AsyncIterator[Control]:
    """One worker's data plane, accepting on a bound socket until the block ends."""
    plane = WorkerState(rules, seed=options.seed, tagged=options.tags, worker=worker)
    gc.collect()
    gc.freeze()  # the rules and the modules will not become garbage: the collector need not look at them again
    async with serving(plane, listener, options.drain_seconds):
        yield Control(plane, options)


@asynccontextmanager
async def admin(options: GatewayOptions, controls: Controls, listener: socket.socket) -> AsyncIterator[None]:
    """The admin API, and the watch over the files."""
    runner = web.AppRunner(admin_app(controls, options.admin_token), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    watching = asyncio.ensure_future(watch(options.files, controls)) if options.watch and options.files else None
    try:
        yield
    finally:
        if watching is not None:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        await runner.cleanup()


def announce(admin_listener: socket.socket, listener: socket.socket) -> None:
    print(f"admin on {url_of(admin_listener)}", flush=True)
    print(f"listening on {url_of(listener)}", flush=True)


class Stop:
    """Asks to stop: the first SIGTERM, SIGINT or SIGHUP. A second signal, or the end of stdin, ends the process at
    once."""

    def __init__(self, options: GatewayOptions):
        self.requested = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        for number in ENDING:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                self._loop.add_signal_handler(number, self._signalled, number)
        if options.exit_with_stdin:
            threading.Thread(target=self._wait_for_stdin, daemon=True, name="stdin").start()

    def _signalled(self, number: signal.Signals) -> None:
        if self.requested.is_set():
            os._exit(128 + number)
        self.requested.set()

    def _wait_for_stdin(self) -> None:
        """A closed stdin means that whoever started us is gone: there is nobody to drain for."""
        with suppress(OSError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        os._exit(0)
