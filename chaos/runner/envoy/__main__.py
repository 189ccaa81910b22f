"""`python -m chaos.runner.envoy`: an Envoy as a gateway process. It reads its plan from the first line of stdin, like
our own gateway (chaos/runner/gateway.py), and ends when stdin closes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from pathlib import Path

from chaos.engines.envoy.binary import Binary, envoy_binary
from chaos.engines.envoy.listeners import PREFIX, Certificate, Door, Further
from chaos.engines.envoy.measured import Files
from chaos.errors import EnvironmentFailed
from chaos.gateway.process.app import Stop, admin, announced
from chaos.gateway.process.options import GatewayOptions, bind, split_address, url_of
from chaos.mesh.compile.rules import Rules
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.envoy.control import EnvoyControl
from chaos.runner.gateway import options_of, plan_from_stdin
from chaos.runner.plan.engines import EngineName
from chaos.runner.plan.gateway_rules import GatewayRules
from chaos.runner.processes.child import Child

START = 25.0  # seconds
FLUSH = 10  # milliseconds after which Envoy writes its access log
POLL = 0.01
GRACE = 1.0  # seconds for Envoy to end


def main() -> int:
    """Serve the plan from stdin and return the exit code. Errors are printed on stderr. The first argument names the
    program; without one it is looked for."""
    return plan_from_stdin(_serve_plan)


def _serve_plan(plan: GatewayPlan) -> int:
    """Serve until a signal comes and return the exit code. Raises InvalidInput and EnvironmentFailed."""
    rules = GatewayRules(plan, EngineName.ENVOY)
    options = options_of(plan, rules, exit_with_stdin=True)
    options.check()
    host, _ = split_address(options.listen, "--listen")
    doors = tuple(
        Door(each.name, each.protocol, host, each.port or 0, stands_for) for each, stands_for in rules.listeners
    )
    further = Further(doors, None if plan.certificate is None else Certificate(*plan.certificate))
    return asyncio.run(_serve(options, rules.compiled(), envoy_binary(*sys.argv[1:2]), further))


async def _serve(options: GatewayOptions, rules: Rules, binary: Binary, further: Further) -> int:
    stop = Stop(options)
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-envoy-"))
        files, (host, port) = Files(Path(folder)), split_address(options.listen, "--listen")
        control = EnvoyControl(rules, options, files, (host, port), further)
        control.prepare()
        envoy = await _start(binary, files, options)
        stack.push_async_callback(envoy.stop, GRACE)
        assert envoy.process.stdout is not None
        following = asyncio.ensure_future(control.follow(envoy.process.stdout))
        stack.callback(following.cancel)
        ports = await _accepting(control, envoy)
        listener = bind(options.admin, "--admin")[0]
        await stack.enter_async_context(admin(options, control, listener))
        shown = f"[{host}]" if ":" in host else host
        for door in further.doors:
            print(f"listener {door.name} on {door.scheme}{shown}:{ports.pop(PREFIX + door.name)}", flush=True)
        (own,) = ports.values()
        stack.enter_context(announced(options, url_of(listener), f"http://{shown}:{own}"))
        ended = asyncio.ensure_future(envoy.process.wait())
        stopped = asyncio.ensure_future(stop.requested.wait())
        await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if ended.done():
            raise EnvironmentFailed(f"Envoy {envoy.how_it_ended()}")
    return 0


async def _start(binary: Binary, files: Files, options: GatewayOptions) -> Child:
    """Start Envoy; its own log goes to our stderr, its access log to its stdout."""
    return await Child.start(
        "Envoy",
        [
            str(binary.path), "-c", str(files.bootstrap), "--disable-hot-restart", "--log-level", "warning",
            "--concurrency", str(options.workers), "--file-flush-interval-msec", str(FLUSH), "--drain-time-s", "1",
        ],
        passes_on_stderr=True,
        env=dict(os.environ),
    )  # fmt: skip


async def _accepting(control: EnvoyControl, envoy: Child) -> dict[str, int]:
    """Return its listeners' ports once it accepts requests. Raises EnvironmentFailed if it ends, or takes too long."""
    try:
        async with asyncio.timeout(START):
            while envoy.alive:
                if ports := await control.accepts():
                    return ports
                await asyncio.sleep(POLL)
    except TimeoutError:
        raise EnvironmentFailed(f"Envoy did not accept requests within {START:g} s") from None
    await envoy.process.wait()
    raise EnvironmentFailed(f"Envoy {envoy.how_it_ended()}; the lines above are its own")


if __name__ == "__main__":
    sys.exit(main())
