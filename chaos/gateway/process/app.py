"""The parts of a gateway process: one worker's data plane, the admin API, and the signals that stop it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from aiohttp import web

from chaos.errors import EnvironmentFailed
from chaos.gateway.process.admin import admin_app
from chaos.gateway.process.control import Control, Controls
from chaos.gateway.process.options import GatewayOptions
from chaos.gateway.process.presence import present
from chaos.gateway.process.reload import watch
from chaos.gateway.process.server import serving
from chaos.gateway.state.in_force import RuleSet
from chaos.gateway.state.worker_state import WorkerState
from chaos.gateway.telemetry.access_log import AccessLog
from chaos.gateway.telemetry.log_file import LogFile, LogWriter
from chaos.gateway.telemetry.sampling import Sample
from chaos.signals import heeded


@asynccontextmanager
async def running(
    options: GatewayOptions, rules: RuleSet, listener: socket.socket, index: int = 0, log: LogFile | None = None
) -> AsyncIterator[Control]:
    """Serve one worker's data plane on a bound socket until the block ends, then drain. Yields its control; `index`
    numbers the worker, from 0. Requests are written to the access log `log`."""
    worker = WorkerState(rules, seed=options.seed, tagged=options.tags, index=index)
    access_log = AccessLog(LogWriter(log), Sample.of(options.access_log_sample)) if log is not None else None
    worker.observers = (access_log,) if access_log is not None else ()
    if options.otel:
        from chaos.gateway.telemetry.tracing import RequestTracer

        worker.tracer = RequestTracer(worker)
        worker.observers += (worker.tracer,)
    gc.collect()
    gc.freeze()  # the rules and the modules will not become garbage: the collector need not look at them again
    try:
        async with serving(worker, listener, options.drain_seconds):
            yield Control(worker, options, access_log)
    finally:
        if access_log is not None:
            await access_log.close()
        if worker.tracer is not None:
            await worker.tracer.close()


@asynccontextmanager
async def admin(options: GatewayOptions, controls: Controls, listener: socket.socket) -> AsyncIterator[None]:
    """Serve the admin API, and watch the files of the rules, until the block ends."""
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


@contextmanager
def announced(options: GatewayOptions, own: str, url: str) -> Iterator[None]:
    """Print the two lines that tell a caller the URLs of the admin API (`own`) and of the gateway (docs/protocol.md),
    and let `chaos ctl` find them while the block runs."""
    with present({"pid": os.getpid(), "admin": own, "url": url, "files": list(options.named)}):
        print(f"admin on {own}", flush=True)
        print(f"listening on {url}", flush=True)
        yield


def reopen_logs_when_asked(controls: Controls) -> None:
    """Open the access log again at each SIGUSR1, as Envoy does; without a log the signal is ignored."""
    loop, reopening = asyncio.get_running_loop(), set[asyncio.Future[None]]()

    def asked() -> None:
        task = asyncio.ensure_future(_reopen_logs(controls))
        reopening.add(task)
        task.add_done_callback(reopening.discard)

    loop.add_signal_handler(signal.SIGUSR1, asked)


async def _reopen_logs(controls: Controls) -> None:
    try:
        await controls.reopen_logs()
    except EnvironmentFailed as error:
        print(error, file=sys.stderr, flush=True)


class Stop:
    """The wish to stop: `requested` is set by the first SIGTERM, SIGINT or SIGHUP. A second signal, or the end of
    stdin, ends the process at once."""

    def __init__(self, options: GatewayOptions):
        self.requested = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        for number in heeded():
            self._loop.add_signal_handler(number, self._signalled, number)
        if options.exit_with_stdin:
            threading.Thread(target=self._wait_for_stdin, daemon=True, name="stdin").start()

    def _signalled(self, number: signal.Signals) -> None:
        if self.requested.is_set():
            os._exit(128 + number)
        self.requested.set()

    def _wait_for_stdin(self) -> None:
        """End the process when stdin closes: whoever started it is gone, so there is nobody to drain for."""
        with suppress(OSError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        os._exit(0)
