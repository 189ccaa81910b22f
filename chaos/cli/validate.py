"""`chaos validate`: print what Istio would refuse (errors), what its analyzers would warn of, and infos."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chaos.cli.output import say_json
from chaos.errors import ExitCode

if TYPE_CHECKING:
    from chaos.errors import Problem


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Experiment or Istio files; each is one set.")],
    output: Annotated[
        Format,
        typer.Option(
            "--format",
            help="text; json: a list with one object per file; sarif; github: text, and annotations of a job, which is "
            "the default in one.",
        ),
    ] = Format.TEXT,
) -> int:
    """Check files as Istio would: errors that it refuses, warnings of its analyzers, and infos."""
    from chaos.api.rules import validate as problems_of

    found = {file: problems_of(file) for file in files}
    if output is Format.JSON:
        import json

        say_json(json.dumps([_as_json(file, problems) for file, problems in found.items()], indent=1))
    elif output is Format.SARIF:
        import json

        from chaos.cli.finding_formats import sarif

        say_json(json.dumps(sarif(found), indent=1))
    else:
        _print(found)
        if output is Format.GITHUB or os.environ.get("GITHUB_ACTIONS") == "true":
            _annotate(found)
    wrong = any(problem.severity == "error" for problems in found.values() for problem in problems)
    return int(ExitCode.USAGE if wrong else ExitCode.VERIFIED)


def _annotate(found: Mapping[str, Sequence[Problem]]) -> None:
    from chaos.cli.finding_formats import workflow_commands
    from chaos.cli.output import say_lines

    for problems in found.values():
        say_lines(workflow_commands(problems))


def _as_json(file: str, problems: Sequence[Problem]) -> dict[str, Any]:
    """Return the problems by severity."""
    words = {"errors": "error", "warnings": "warning", "infos": "info"}
    found = {name: [each.to_dict() for each in problems if each.severity == word] for name, word in words.items()}
    return {"file": file, **found}


def _print(found: Mapping[str, Sequence[Problem]]) -> None:
    from chaos.cli.output import print_problems, say_lines

    for file, problems in found.items():
        print_problems(problems)
        if not any(problem.severity == "error" for problem in problems):
            counted = [(sum(p.severity == s for p in problems), s) for s in ("warning", "info")]
            beside = ", ".join(f"{n} {s}{'s' if n > 1 else ''}" for n, s in counted if n)
            say_lines([f"{file}: valid{f' ({beside})' if beside else ''}"])
