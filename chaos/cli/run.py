"""`chaos run`: run experiments, judge their claims, write reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.output import say, say_lines

if TYPE_CHECKING:
    from chaos.runner.terminal.view import View


def run(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Experiment or VirtualService files; each is one run.")
    ],
    gateway: Annotated[
        str | None, typer.Option(metavar="URL", help="Verify a gateway that already runs, such as an Envoy.")
    ] = None,
    ui: Annotated[bool, typer.Option("--ui", help="Open Locust's web UI, with a Faults tab.")] = False,
    ui_port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port of the web UI.")] = 8089,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Override a field, for example spec.load.users=50."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Give every request the same fault as in other runs with this seed."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the runs.")] = Path("reports"),
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Gateway processes.")] = 1,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Render the report at the end.")] = True,
) -> int:
    """Run experiments, judge the claims of their rules, and write reports."""
    from chaos.runner.plan.options import RunOptions
    from chaos.runner.start import exit_code, run_files

    options = RunOptions(
        out=out,
        overrides=tuple(settings or ()),
        seed=seed,
        gateway=gateway,
        ui=f"127.0.0.1:{ui_port}" if ui else None,
        workers=workers,
        report=report,
        command=("chaos", *(argument for argument in sys.argv[1:] if argument not in files)),
    )
    results = run_files(files, options, _view, lambda text: say(text, err=True))
    if len(results) > 1:
        from chaos.runner.terminal.summary import table_of_runs

        say_lines(table_of_runs(results))
    return exit_code(results)


def _view() -> View:
    from chaos.runner.terminal.progress import view_for

    return view_for()
