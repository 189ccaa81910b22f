"""Serve a gateway with the services of its file and no load, for `chaos gateway` and `chaos demo`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import replace

from chaos.errors import EnvironmentFailed, ExitCode
from chaos.gateway.telemetry.log_file import STDOUT
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.plan.checked import Prepared
from chaos.runner.processes.session import Session, start
from chaos.runner.supervise.interruption import Interrupted, Interruption

DRAIN = 30.0  # seconds for requests in flight, as many as the gateway gives them


def needs_services(prepared: Prepared) -> bool:
    """Return whether any service has to be started before the gateway can forward."""
    return any(instance.address is None for instance in prepared.services.instances())


def serve_with_services(
    prepared: Prepared, plan: GatewayPlan, *, out: Callable[[str], None], started: Callable[[Session], None]
) -> int:
    """Serve until a signal comes and return the exit code. Raises EnvironmentFailed if one of the processes ends.

    `started` is called when everything accepts requests, `out` with each line about the services."""
    return asyncio.run(_serve(prepared, plan, out, started))


async def _serve(
    prepared: Prepared, plan: GatewayPlan, out: Callable[[str], None], started: Callable[[Session], None]
) -> int:
    if plan.access_log == STDOUT:  # the gateway's own is a pipe to us
        plan = replace(plan, access_log=os.dup(1))
    session = start(prepared, plan, seed=plan.seed or 0, drain=DRAIN, passes_on=True, say=lambda level, text: out(text))
    with Interruption() as interruption:
        try:
            serving = await interruption.unless(session.__aenter__())
        except Interrupted:
            return int(ExitCode.INTERRUPTED)
        try:
            assert serving.gateway is not None
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, serving.gateway.child.tell, signal.SIGUSR1)
            started(serving)
            await interruption.unless(_first_to_end(serving))
        except Interrupted:
            return int(ExitCode.VERIFIED)
        finally:
            interruption.forget()
            with contextlib.suppress(Interrupted):  # a second signal ends what is in flight
                await interruption.unless(session.__aexit__(None, None, None))
    raise AssertionError("either a signal comes or something ends")


async def _first_to_end(session: Session) -> None:
    """Wait until a process ends, and raise EnvironmentFailed that names it."""
    waiting = {asyncio.ensure_future(child.process.wait()): child for child in session.children}
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    child = waiting[done.pop()]
    raise EnvironmentFailed(f"{child.name} {child.how_it_ended()}{child.last_words()}")
