"""`chaos plan`: print the expected outcomes and the number of requests a verdict needs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from chaos.cli.output import print_problems, say, say_json


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


def plan(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Experiment or VirtualService file.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Override a field, for example spec.load.users=50."),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.TEXT,
) -> int:
    """Print the expected outcomes of every rule, and how many requests and how much time a verdict needs."""
    from chaos.runner.plan.options import RunOptions
    from chaos.runner.plan.planner import plan_run

    planned = plan_run(file, RunOptions(overrides=tuple(settings or ())))
    print_problems((each for each in planned.notes if each.severity == "warning"), err=True)
    forecast = planned.forecast()
    if output is Format.JSON:
        import json

        say_json(json.dumps(forecast.to_dict(), indent=1))
    else:
        say(str(forecast))
    return 0
