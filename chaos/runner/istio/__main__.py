"""`python -m chaos.runner.istio SETTINGS`: a running Istio as a gateway process. It reads its plan from the first line
of stdin, like our own gateway, and carries no data: requests go to the mesh's own entry.

A guard in a session of its own takes the run's objects away when this process is killed; the lease does when the whole
host is lost."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from typing import Any

from chaos.errors import EnvironmentFailed
from chaos.gateway.process.app import Stop, admin, announced
from chaos.gateway.process.options import GatewayOptions, bind, url_of
from chaos.mesh.compile.rules import Rules
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.gateway import options_of, plan_from_stdin
from chaos.runner.istio.api import connect
from chaos.runner.istio.control import IstioControl
from chaos.runner.istio.guard import Guard
from chaos.runner.istio.hosts import Written
from chaos.runner.istio.installation import Installation
from chaos.runner.istio.probes import Probes
from chaos.runner.istio.settings import Settings
from chaos.runner.istio.watching import changed_by_others
from chaos.runner.plan.gateway_rules import GatewayRules


def main() -> int:
    """Serve the plan from stdin and return the exit code. Errors are printed on stderr."""
    return plan_from_stdin(_serve_plan)


def _serve_plan(plan: GatewayPlan) -> int:
    rules = GatewayRules(plan)
    options = options_of(plan, rules, exit_with_stdin=False)
    options.check()
    written = [each for each in rules.virtual_services if each.spec.http]
    return asyncio.run(_serve(options, rules.compiled(), written, Settings.of(sys.argv[1])))


async def _serve(options: GatewayOptions, rules: Rules, written: Sequence[Written], settings: Settings) -> int:
    """Serve until a signal comes or stdin closes, then take everything away. Raises EnvironmentFailed when somebody
    else changes what the run is about."""
    stop = Stop(options)
    cluster = await connect(settings.context, settings.namespace)
    installation = Installation(cluster, settings.marks, everybody=settings.everybody)
    guard = await Guard.start(settings)
    try:
        await installation.begin()
        control = IstioControl(rules, options, installation, Probes(settings.url, settings.run))
        tasks = [asyncio.ensure_future(installation.renew())]
        tasks.append(asyncio.ensure_future(changed_by_others(cluster, installation, written)))
        try:
            await control.begin()
            await _served(options, control, settings, stop, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await installation.end()
        await guard.dismiss()
    return 0


async def _served(
    options: GatewayOptions,
    control: IstioControl,
    settings: Settings,
    stop: Stop,
    tasks: Sequence[asyncio.Future[None]],
) -> None:
    """Serve the admin API until a signal comes, stdin closes, or one of the tasks ends. Raises what ended it."""
    async with contextlib.AsyncExitStack() as stack:
        listener = bind(options.admin, "--admin")[0]
        await stack.enter_async_context(admin(options, control, listener))
        stack.enter_context(announced(options, url_of(listener), settings.url))
        gone = asyncio.ensure_future(_stdin_closed())
        stopped = asyncio.ensure_future(stop.requested.wait())
        waited: list[asyncio.Future[Any]] = [*tasks, gone, stopped]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        stopped.cancel()
        for task in tasks:
            if task.done():
                task.result()
                raise EnvironmentFailed("the mesh is watched no longer")


async def _stdin_closed() -> None:
    """Return when stdin closes: whoever started us is gone. What was put into the mesh still has to be taken away."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass


if __name__ == "__main__":
    sys.exit(main())
