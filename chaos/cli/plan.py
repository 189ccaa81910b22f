"""`chaos plan`: what is expected, and what a verdict on it will take."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chaos.cli.output import say_json, say_lines

if TYPE_CHECKING:
    from chaos.runner.plan.run_plan import Outset


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


def plan(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Experiment or VirtualService file.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override a field, as spec.load.users=50.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.TEXT,
) -> int:
    """Print the expected outcomes of every rule, and how many requests and how long a verdict takes."""
    from chaos.runner.plan.options import RunOptions
    from chaos.runner.plan.planner import plan_run

    outset = plan_run(file, RunOptions(overrides=tuple(settings or ())))
    if output is Format.JSON:
        import json

        say_json(json.dumps(outset.forecast(), indent=1))
        return 0
    say_lines(plan_text(outset))
    return 0


def plan_text(outset: Outset) -> list[str]:
    """The forecast for people."""
    from chaos.runner.terminal.summary import number, percent
    from chaos.units import format_duration

    forecast = outset.forecast()
    lines = [f"{forecast['name']}: {' '.join(forecast['description'].split())}".rstrip(": ")]
    for rule in forecast["rules"]:
        phase = f"{rule['phase']}: " if rule["phase"] else ""
        tasks = ", ".join(rule["tasks"]) if rule["tasks"] is not None else "calls that are not the load's own"
        lines += ["", f"{phase}{rule['name'] or 'no rule'}   {rule['where']}", f"  requests: {tasks}"]
        lines += [f"  {percent(outcome['share']):>8}   {_outcome(outcome)}" for outcome in rule["outcomes"]]
    lines += ["", "a verdict at " + f"{forecast['confidence'] * 100:g} % confidence needs, of the whole load,"]
    width = max((len(each["title"]) for each in forecast["claims"]), default=0)
    for claim in forecast["claims"]:
        if claim["median"] is None:
            lines.append(f"  {claim['title']:{width}}   as many as the upstream's own failures ask for")
            continue
        seen = f"   shows a deviation of {claim['deviation'] * 100:.2g} points" if claim["deviation"] else ""
        lines.append(
            f"  {claim['title']:{width}}   about {number(claim['median'])} requests, "
            f"{number(claim['nine_in_ten'])} in nine of ten runs{seen}"
        )
    if forecast["seconds"] is not None:
        rate = number(round(forecast["rate"]))
        lines += ["", f"at about {rate} requests/s that is {format_duration(round(forecast['seconds'], 1))}"]
    return lines


def _outcome(outcome: dict[str, Any]) -> str:
    from chaos.units import format_duration

    words = [f"status {outcome['status']}" if outcome["status"] is not None else "the upstream's answer"]
    words += [f"from {outcome['destination']}"] if outcome["destination"] else []
    words += [f"{format_duration(outcome['delay'])} late"] if outcome["delay"] else []
    words += [f"({outcome['fault']})"] if outcome["fault"] else []
    return " ".join(words)
