"""`chaos plan`: print the expected outcomes and the number of requests a verdict needs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.engine import Context, EnvoyProgram, MeshOptions, Namespace, Patch, chosen_engine
from chaos.cli.output import print_problems, say, say_json
from chaos.errors import EnvironmentFailed, InvalidInput
from chaos.runner.plan.engines import EngineName

if TYPE_CHECKING:
    from chaos.runner.plan.run_plan import RunPlan


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
    engine: Annotated[
        EngineName, typer.Option(help="What would carry out the rules, as in chaos run.")
    ] = EngineName.GATEWAY,
    envoy: EnvoyProgram = None,
    gateway: Annotated[str | None, typer.Option(metavar="URL", help="The entry to the mesh of --engine istio.")] = None,
    context: Context = None,
    namespace: Namespace = None,
    patch: Patch = False,
    probe: Annotated[
        bool | None,
        typer.Option(
            "--probe/--no-probe",
            help="Measure how fast the load is, in a second of it without faults; by default unless that would start a "
            "program of yours.",
        ),
    ] = None,
) -> int:
    """Print the expected outcomes of every rule, and how many requests and how much time a verdict needs; with --engine
    istio also whether the mesh is as a run needs it, without changing anything there."""
    from chaos.runner.plan.options import RunOptions
    from chaos.runner.plan.planner import plan_run

    if gateway is not None and engine is not EngineName.ISTIO:
        raise InvalidInput.of("--gateway", "belongs to --engine istio here; a plan is made without a gateway")
    chosen = chosen_engine(engine, envoy, MeshOptions(context, namespace, gateway, patch=patch))
    planned = plan_run(file, RunOptions(overrides=tuple(settings or ()), engine=chosen))
    print_problems((each for each in planned.notes if each.severity == "warning"), err=True)
    forecast = planned.forecast(_measured(planned, probe))
    if output is Format.JSON:
        import json

        say_json(json.dumps(forecast.to_dict(), indent=1))
    else:
        say(str(forecast))
    if chosen.mesh is not None:
        _look_at_mesh(planned, err=output is Format.JSON)
    return 0


def _look_at_mesh(planned: RunPlan, *, err: bool) -> None:
    """Print what the preflight found, with `err` on stderr. Raises InvalidInput if a run would not begin."""
    import asyncio

    from chaos.runner.istio.preflight import preflight_of

    found = asyncio.run(preflight_of(planned))
    for level, text in found.notes:
        say(f"{level}: {text}", err=err)
    found.require()
    say("the mesh is as a run needs it; nothing was changed", err=err)


def _measured(planned: RunPlan, probe: bool | None) -> float | None:
    """Return the rate of the load without faults; None if it is not to be measured, or cannot be, which is said."""
    from chaos.runner.probe import measured_rate, starts_programs

    if (
        planned.options.engine.mesh is not None
        or probe is False
        or (probe is None and starts_programs(planned))
        or planned.load.arrival_rate is not None
    ):
        return None
    try:
        return measured_rate(planned)
    except EnvironmentFailed as error:
        say(f"the rate was not measured: {error}", err=True)
        return None
