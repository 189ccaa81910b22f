"""`chaos test`: run tests of routing: which rule takes a request, and what it does. Nothing is sent."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.output import say_json, say_lines, writing
from chaos.errors import ExitCode
from chaos.printable import printable_line

if TYPE_CHECKING:
    from chaos.route_tests.judge import Outcome
    from chaos.runner.route_testing import Tested


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


def test(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Files with rules and tests: one set, or several experiments."),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Override a field, for example spec.proxy.namespace=shop."),
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Fail unless the tests reach every match entry.")
    ] = False,
    min_coverage: Annotated[
        float | None,
        typer.Option(metavar="PERCENT", min=0, max=100, help="Fail if the tests reach fewer match entries."),
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="PATH", help="Write JUnit XML there, too.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print failures only.")] = False,
    output: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.TEXT,
) -> int:
    """Run tests of routing: which rule takes a request, and what it does with it. Nothing is sent."""
    from chaos.runner.route_testing import run_tests

    tested = run_tests(files, tuple(settings or ()))
    wanted = 100.0 if coverage else min_coverage
    lacking = wanted is not None and tested.coverage.percent < wanted
    if output is Format.JSON:
        _print_json(tested)
    else:
        _print(tested, quiet=quiet, wanted=wanted if lacking else None, every=wanted is not None)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            _annotate(tested)
    if junit is not None:
        _write_junit(junit, tested, wanted)
    return int(ExitCode.FALSIFIED if tested.failed or lacking else ExitCode.VERIFIED)


def _print_json(tested: Tested) -> None:
    import json

    from chaos.route_tests.record import record

    say_json(json.dumps(record(tested.outcomes, tested.coverage, tested.notes), indent=1))


def _print(tested: Tested, *, quiet: bool, wanted: float | None, every: bool) -> None:
    from chaos.route_tests.text import below, coverage_lines, failure_lines, summary

    before = None
    for outcome in tested.outcomes:
        if not outcome.passed or not quiet:
            _print_result(outcome)
        if not outcome.passed:
            said = (outcome.case.location, outcome.differences)
            say_lines(failure_lines(outcome) if said != before else ["  as above"])
            before = said
    if not quiet:
        say_lines(f"note: {note}" for note in tested.notes)
    if not quiet or wanted is not None:
        say_lines(coverage_lines(tested.coverage, all_of_them=every))
    if not quiet:
        say_lines([summary(tested.outcomes, tested.coverage)])
    if wanted is not None:
        say_lines([below(wanted)])


def _print_result(outcome: Outcome) -> None:
    color, word = (typer.colors.GREEN, "ok") if outcome.passed else (typer.colors.RED, "failed")
    where, name = (printable_line(text) for text in (str(outcome.case.location), outcome.case.name))
    typer.echo(f"{where}: {typer.style(word, fg=color)}: {name}")


def _annotate(tested: Tested) -> None:
    """Print an annotation of a GitHub job for each failing test."""
    from chaos.cli.finding_formats import workflow_commands
    from chaos.errors import Problem

    failed = [(each.case, "; ".join(map(str, each.differences))) for each in tested.failed]
    say_lines(workflow_commands([Problem(case.location, case.name, said) for case, said in failed]))


def _write_junit(path: Path, tested: Tested, wanted: float | None) -> None:
    """Write the document. Raises EnvironmentFailed if that is impossible."""
    from chaos.report.pages.route_tests import write_junit

    with writing(path):
        write_junit(path, tested.outcomes, tested.coverage, wanted)
