"""`python -m chaos.load`: run one load, or join one of another process. The plan (or whom to join) and commands come on
stdin, digests go to stdout (docs/protocol.md)."""

from __future__ import annotations

import json
import os
import sys


def main() -> int:
    """Run the load. Returns the exit code: 0 when it ended as planned, 2 for a bad plan, 5 when it could not go on."""
    from chaos.load.process import settle
    from chaos.parent_death import die_with

    die_with(os.getppid())
    settle()
    import locust.env  # noqa: F401 - the slow part, done while the supervisor prepares the plan

    from chaos.load.lines import first_line
    from chaos.protocol.load_plan import BadPlan, Plan

    line = first_line()
    if not line.strip():
        return 0
    try:
        wanted = json.loads(line)
        if isinstance(wanted, dict) and "join" in wanted:
            from chaos.load.remote import run as take_part

            return take_part(wanted)
        plan = Plan.of(wanted)
    except json.JSONDecodeError as error:
        return refuse(f"the plan is not JSON: {error}")
    except BadPlan as error:
        return refuse(str(error))
    from chaos.load.start import run

    return run(plan)


def refuse(reason: str) -> int:
    """Print why the plan cannot be carried out. Returns the exit code."""
    print(json.dumps({"type": "error", "reason": reason}), flush=True)
    return 2


if __name__ == "__main__":
    from chaos.load.lines import leave

    try:
        code = main()
    except SystemExit as wanted:
        code = wanted.code if isinstance(wanted.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    leave(code)
