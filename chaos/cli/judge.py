"""`chaos judge`: the verdict on counts or samples from anywhere, without our gateway or load."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def judge(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE...]",
            help="Samples (CSV or NDJSON with a row a request; what k6, Locust, Fortio, Envoy and Prometheus "
            "write), or claims with their counts; - is stdin.",
        ),
    ] = None,
    claims: Annotated[
        list[str] | None,
        typer.Option("--claim", metavar="CLAIM", help="A share and its tolerance, like 'abort 503 50% ± 2'."),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="EXPRESSION", help="A hypothesis as in spec.verify.expect, like 'p99 < 200ms'."),
    ] = None,
    successes: Annotated[int | None, typer.Option(metavar="K", min=0, help="Successes, of the one --claim.")] = None,
    trials: Annotated[int | None, typer.Option(metavar="N", min=0, help="Trials, of the one --claim.")] = None,
    confidence: Annotated[
        float | None, typer.Option(metavar="PERCENT", min=50, max=99.9999, help="Of all verdicts together; 99.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(metavar="POINTS", min=0.001, max=50, help="Of claims without their own; 2.")
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="The file's format, instead of a look at it.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="FIELD=NAME", help="The column of a field, like latency=elapsed."),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="UNIT", help="Of the latency, where its column does not say: s, ms, us or ns.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of the run; by default the file's.")] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the runs.")] = Path("reports"),
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write a folder with the report.")] = True,
) -> int:
    """Judge counts or samples from anywhere: the same sentences, exit codes and report as `chaos run`.

    chaos judge --claim "abort 50% ± 2" --successes 4980 --trials 10000

    chaos judge k6.csv --expect "failures < 5%" --expect "p99 < 200ms\""""
    from chaos.runner.judging import JudgeOptions
    from chaos.runner.judging import judge as judged
    from chaos.runner.terminal.progress import view_for

    options = JudgeOptions(
        files=tuple(files or ()),
        claims=tuple(claims or ()),
        expect=tuple(expect or ()),
        successes=successes,
        trials=trials,
        confidence=confidence,
        tolerance=tolerance,
        format=format_,
        columns=tuple(columns or ()),
        unit=unit,
        name=name,
        out=out if report else None,
        command=("chaos", "judge", *_arguments(sys.argv)),
    )
    view = view_for()
    result = judged(options, view)
    view.end(result)
    return int(result.exit_code)


def _arguments(command: list[str]) -> list[str]:
    """Return what follows `judge` on the command line."""
    return command[command.index("judge") + 1 :] if "judge" in command else []
