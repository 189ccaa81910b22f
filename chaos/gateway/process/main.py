"""`chaos gateway`: bind, print the addresses, serve until a signal, drain, end.

One worker is this process. Several are children that share the port (`workers.py`); this process then serves only their
admin API."""

from __future__ import annotations

import resource
import socket
from contextlib import suppress

import uvloop

from chaos.gateway.process.app import Stop, admin, announced, reopen_logs_when_asked, running
from chaos.gateway.process.options import GatewayOptions, bind, url_of
from chaos.gateway.process.workers import run_workers
from chaos.gateway.state.in_force import RuleSet
from chaos.gateway.telemetry.log_file import LogFile
from chaos.otel.needed import check as need_otel


def run_gateway(options: GatewayOptions, rules: RuleSet | None = None) -> int:
    """Serve until SIGTERM, SIGINT or SIGHUP and return the exit code. `rules` are the first rules in force; None loads
    them.

    Raises InvalidInput or EnvironmentFailed before it accepts a connection."""
    options.check()
    rules = options.load() if rules is None else rules
    if options.otel:
        need_otel()
    log = LogFile.opened(options.access_log) if options.access_log is not None else None
    _allow_many_connections()
    listeners = bind(options.listen, "--listen", copies=options.workers)
    admin_listener = bind(options.admin, "--admin")[0]
    if options.workers > 1:
        return run_workers(options, rules, listeners, admin_listener, log)
    return uvloop.run(_serve(options, rules, listeners[0], admin_listener, log))


async def _serve(
    options: GatewayOptions,
    rules: RuleSet,
    listener: socket.socket,
    admin_listener: socket.socket,
    log: LogFile | None,
) -> int:
    stop = Stop(options)
    async with running(options, rules, listener, log=log) as control, admin(options, control, admin_listener):
        reopen_logs_when_asked(control)
        with announced(options, url_of(admin_listener), url_of(listener)):
            await stop.requested.wait()
    return 0


def _allow_many_connections() -> None:
    """Raise the soft limit of open files: each connection needs one, and the default of 1024 is soon reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
