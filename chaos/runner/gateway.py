"""`python -m chaos.runner.gateway`: a gateway as a child process. It reads its plan from the first line of stdin and
ends when stdin closes.

`chaos gateway` calls `serve_plan` itself if there are no services to start."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from chaos.errors import ChaosError, ExitCode
from chaos.gateway.process.main import run_gateway
from chaos.gateway.process.options import GatewayOptions
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.plan.gateway_rules import GatewayRules


def main() -> int:
    """Serve the plan from stdin and return the exit code. Errors are printed on stderr."""
    return plan_from_stdin(lambda plan: serve_plan(plan, exit_with_stdin=True))


def plan_from_stdin(serve: Callable[[GatewayPlan], int]) -> int:
    """Serve the plan on the first line of stdin and return the exit code. Errors are printed on stderr."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    line = sys.stdin.buffer.readline()
    if not line.strip():
        return 0  # stdin closed: the parent does not want a gateway any more
    try:
        return serve(GatewayPlan.of(line))
    except ChaosError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    except (TypeError, ValueError) as error:
        print(f"not a plan for a gateway: {error}", file=sys.stderr)
        return int(ExitCode.USAGE)


def serve_plan(plan: GatewayPlan, *, exit_with_stdin: bool = False) -> int:
    """Serve until a signal comes and return the exit code. Raises InvalidInput and EnvironmentFailed before it
    serves."""
    rules = GatewayRules(plan)
    return run_gateway(options_of(plan, rules, exit_with_stdin=exit_with_stdin), rules.compiled())


def options_of(plan: GatewayPlan, rules: GatewayRules, *, exit_with_stdin: bool) -> GatewayOptions:
    """Return a plan as the gateway's own options."""
    return GatewayOptions(
        load=rules.reload,
        parse=rules.parse,
        text=rules.text,
        named=plan.files,
        files=plan.watched,
        listen=plan.listen,
        admin=plan.admin,
        admin_token=plan.admin_token,
        workers=plan.workers,
        seed=plan.seed,
        tags=plan.tags,
        access_log=plan.access_log,
        access_log_sample=plan.access_log_sample,
        otel=plan.otel,
        watch=bool(plan.watched),
        exit_with_stdin=exit_with_stdin,
    )


if __name__ == "__main__":
    sys.exit(main())
