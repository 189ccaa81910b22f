"""`chaos run`: run experiments, judge their claims, write reports."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.engine import Context, EnvoyProgram, MeshOptions, Namespace, Patch, Scope, chosen_engine
from chaos.cli.output import say, say_json, say_lines, writing
from chaos.runner.plan.engines import EngineName

if TYPE_CHECKING:
    from chaos.runner.terminal.result import RunResult
    from chaos.runner.terminal.view import View


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


def run(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Experiment or VirtualService files; each is one run.")
    ],
    gateway: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Verify a gateway that already runs, such as an Envoy; with --engine istio the entry to the mesh.",
        ),
    ] = None,
    access_log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The access log of --gateway, Envoy's in JSON, while it grows: it shows destinations and attempts.",
        ),
    ] = None,
    engine: Annotated[
        EngineName,
        typer.Option(
            help="What carries out the rules: the gateway of ours, or a real Envoy, whose draws no seed fixes and no "
            "replay repeats."
        ),
    ] = EngineName.GATEWAY,
    envoy: EnvoyProgram = None,
    context: Context = None,
    namespace: Namespace = None,
    scope: Annotated[
        Scope, typer.Option(help="Whose requests meet the faults of --engine istio: the run's own, or everybody's.")
    ] = Scope.RUN,
    patch: Patch = False,
    prometheus: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Who counts calls of applications with --engine istio, for rules that no task takes.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether everybody's requests are meant.")] = False,
    ui: Annotated[bool, typer.Option("--ui", help="Serve Locust's web UI, with a Faults tab.")] = False,
    ui_port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port of the web UI.")] = 8089,
    live: Annotated[bool, typer.Option("--live", help="Serve a page that shows the run.")] = False,
    live_port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port of the live page.")] = 8090,
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
    load_workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=1000,
            envvar="LOCUST_EXPECT_WORKERS",
            help="Have the load carried by N processes of `chaos load-worker`, on this host or others, and wait for "
            "all of them.",
        ),
    ] = None,
    load_bind: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where load workers join; by default 127.0.0.1:5557.")
    ] = None,
    load_wait: Annotated[
        str,
        typer.Option(
            metavar="TIME", envvar="LOCUST_EXPECT_WORKERS_MAX_WAIT", help="How long to wait for the load workers."
        ),
    ] = "60s",
    load_token_file: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="File with the token that load workers have to show; compulsory beyond loopback."
        ),
    ] = None,
    load_gateway: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where load workers reach the gateway, if not at its own address: through a tunnel, for example. "
            "The gateway then listens on that port.",
        ),
    ] = None,
    report: Annotated[
        bool,
        typer.Option(
            "--report/--no-report", help="Render the report at the end; result.json and junit.xml are written anyway."
        ),
    ] = True,
    otel: Annotated[
        bool,
        typer.Option(
            "--otel",
            help="Export a span for each request of load and gateway, and the gateway's metrics, by OTLP over HTTP, as "
            "the OTEL_ variables say; needs chaos-harness[otel].",
        ),
    ] = False,
    output: Annotated[
        Format, typer.Option("--format", help="text, or json: a list with one object per run; progress is on stderr.")
    ] = Format.TEXT,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress, only results.")] = False,
    junit: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write one JUnit file with the claims of all runs.")
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            envvar="GITHUB_STEP_SUMMARY",
            help="Append the results as Markdown; by default to the summary of a GitHub job.",
        ),
    ] = None,
) -> int:
    """Run experiments, judge the claims of their rules, and write reports."""
    from chaos.otel.needed import check as need_otel
    from chaos.runner.plan.load_hosts import LoadHosts, read_wait
    from chaos.runner.plan.options import RunOptions
    from chaos.runner.plan.token_file import read_token
    from chaos.runner.start import exit_code, run_files

    if otel:
        need_otel()
    chosen = chosen_engine(engine, envoy, MeshOptions(context, namespace, gateway, scope, yes, patch, prometheus))
    options = RunOptions(
        out=out,
        overrides=tuple(settings or ()),
        seed=seed,
        gateway=gateway if chosen.mesh is None else None,
        access_log=access_log,
        engine=chosen,
        ui=f"127.0.0.1:{ui_port}" if ui else None,
        live=f"127.0.0.1:{live_port}" if live else None,
        workers=workers,
        hosts=LoadHosts(
            load_bind,
            load_workers,
            read_wait(load_wait),
            read_token(load_token_file, "--load-token-file"),
            load_gateway,
        ),
        report=report,
        otel=otel,
        command=("chaos", *(argument for argument in sys.argv[1:] if argument not in files)),
    )
    results = run_files(files, options, lambda: _view(output, quiet), lambda text: say(text, err=True))
    _write_data([] if report else results)
    if output is Format.JSON:
        _print_json(results)
    elif len(results) > 1:
        from chaos.runner.terminal.summary import table_of_runs

        say_lines(table_of_runs(results))
    if junit is not None:
        _write_junit(junit, results)
    if summary is not None:
        _append_summary(summary, results)
    return exit_code(results)


def _view(output: Format, quiet: bool) -> View:
    from chaos.runner.terminal.progress import PlainView, ResultView, view_for
    from chaos.runner.terminal.view import View

    if output is Format.JSON:
        return View() if quiet else PlainView(sys.stderr)
    return ResultView() if quiet else view_for()


def _print_json(results: Sequence[RunResult]) -> None:
    import json

    from chaos.runner.terminal.results import record_of

    say_json(json.dumps([record_of(result) for result in results], indent=1))


def _write_data(results: Sequence[RunResult]) -> None:
    """Write result.json and junit.xml of runs that have no report."""
    from chaos.report.pages.data import write_data

    for result in results:
        if result.folder is not None:
            with writing(f"result.json in {result.folder}"):
                write_data(result.folder)


def _write_junit(path: Path, results: Sequence[RunResult]) -> None:
    from chaos.report.pages.merged import write_merged

    there = [each.folder for each in results if each.folder is not None and (each.folder / "junit.xml").exists()]
    others = [(each.name, "\n".join(each.reasons)) for each in results if each.folder not in there]
    with writing(str(path)):
        write_merged(path, there, others)


def _append_summary(path: Path, results: Sequence[RunResult]) -> None:
    from chaos.runner.terminal.results import markdown_of

    with writing(str(path)), path.open("a", encoding="utf-8", errors="replace") as file:
        file.write(markdown_of(results))
