"""`python -m chaos.load`: one load, told what to do on stdin, telling what happened on stdout
(docs/protocol.md)."""

from __future__ import annotations

import json
import os
import sys


def main() -> int:
    """The exit code: 0 when the load ended as it should, 2 for a bad plan, 5 when it could not go on."""
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
        plan = Plan.of(json.loads(line))
    except json.JSONDecodeError as error:
        return refuse(f"a plan is a JSON object: {error}")
    except BadPlan as error:
        return refuse(str(error))
    from chaos.load.start import run

    return run(plan)


def refuse(reason: str) -> int:
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
