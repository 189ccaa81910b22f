"""`python -m chaos.runner.istio SETTINGS`: a running Istio as a gateway process. It reads its plan from the first line
of stdin, like our own gateway, and carries no data: requests go to the mesh's own entry.

A guard in a session of its own takes the run's objects away when this process is killed; the lease does when the whole
host is lost."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

from chaos.gateway.process.app import Stop, admin, announced
from chaos.gateway.process.options import GatewayOptions, bind, url_of
from chaos.mesh.compile.rules import Rules
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.gateway import options_of, plan_from_stdin
from chaos.runner.istio.api import Cluster, connect
from chaos.runner.istio.control import IstioControl
from chaos.runner.istio.guard import Guard
from chaos.runner.istio.hosts import Written
from chaos.runner.istio.installation import Installation
from chaos.runner.istio.patched import Patched
from chaos.runner.istio.probes import Probes
from chaos.runner.istio.settings import Settings
from chaos.runner.istio.watching import changed_by_others
from chaos.runner.plan.engines import EngineName
from chaos.runner.plan.gateway_rules import GatewayRules

Ends = asyncio.Future[None]
"""One of what ends a run's engine: a signal, the end of its stdin, or what is wrong in the mesh."""


def main() -> int:
    """Serve the plan from stdin and return the exit code. Errors are printed on stderr."""
    return plan_from_stdin(_serve_plan)


def _serve_plan(plan: GatewayPlan) -> int:
    rules = GatewayRules(plan, EngineName.ISTIO)
    options = options_of(plan, rules, exit_with_stdin=False)
    options.check()
    written = [each for each in rules.virtual_services if each.spec.http]
    return asyncio.run(_serve(options, rules.compiled(), written, Settings.of(sys.argv[1])))


async def _serve(options: GatewayOptions, rules: Rules, written: Sequence[Written], settings: Settings) -> int:
    """Serve until a signal comes or stdin closes, then take everything away. Raises EnvironmentFailed when somebody
    else changes what the run is about."""
    stop = Stop(options)
    async with await connect(settings.context, settings.namespace) as cluster:
        await _serve_in(cluster, stop, options, rules, written, settings)
    return 0


async def _serve_in(
    cluster: Cluster,
    stop: Stop,
    options: GatewayOptions,
    rules: Rules,
    written: Sequence[Written],
    settings: Settings,
) -> None:
    installation: Installation | Patched
    if settings.patch:
        installation = Patched(cluster, settings.marks, written)
    else:
        installation = Installation(cluster, settings.marks, written, everybody=settings.everybody)
    guard = await Guard.start(settings)
    try:
        await installation.begin()
        probes = Probes(settings.url, settings.run, settings.longest)
        control = IstioControl(rules, options, installation, probes, settings.deeper)
        async with _ending(
            installation.renew(), changed_by_others(cluster, installation, written), _stdin_closed(), _signalled(stop)
        ) as ends:
            if await _done_before(control.begin(), ends):
                await _served(options, control, settings, ends)
    finally:
        await installation.end()
        await guard.dismiss()


async def _served(options: GatewayOptions, control: IstioControl, settings: Settings, ends: Sequence[Ends]) -> None:
    """Serve the admin API until one of `ends` does. Raises what ended it."""
    async with contextlib.AsyncExitStack() as stack:
        listener = bind(options.admin, "--admin")[0]
        await stack.enter_async_context(admin(options, control, listener))
        stack.enter_context(announced(options, url_of(listener), settings.url))
        await _done_before(asyncio.Event().wait(), ends)


@contextlib.asynccontextmanager
async def _ending(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[Sequence[Ends]]:
    """Run coroutines beside the block, and yield them as tasks: they are cancelled with its end."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _done_before(work: Coroutine[Any, Any, Any], ends: Sequence[Ends]) -> bool:
    """Return whether the work was done before one of `ends` was, which cancels it. Raises what either raises."""
    working: asyncio.Future[Any] = asyncio.ensure_future(work)
    try:
        await asyncio.wait((working, *ends), return_when=asyncio.FIRST_COMPLETED)
        for each in ends:
            if each.done():
                each.result()
                return False
        await working
        return True
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _signalled(stop: Stop) -> None:
    await stop.requested.wait()


async def _stdin_closed() -> None:
    """Return when stdin closes: whoever started us is gone. What was put into the mesh still has to be taken away."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass


if __name__ == "__main__":
    sys.exit(main())
