"""Problems and notes on the terminal: one per line, errors first, in colour only where a person looks."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from chaos.errors import InvalidInput, Problem
from chaos.printable import printable

_COLORS = {"error": typer.colors.RED, "warning": typer.colors.YELLOW, "info": typer.colors.CYAN}


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text on stdout or stderr; whatever stands in it, the terminal shows it and does not obey it."""
    typer.echo(printable(text), err=err, nl=nl)


def print_problems(problems: Iterable[Problem], *, err: bool = False) -> None:
    """`file:line:column: severity: path: message [code]`."""
    for problem in problems:
        severity = typer.style(problem.severity, fg=_COLORS[problem.severity])
        path = f"{problem.path}: " if problem.path else ""
        code = f" [{problem.code}]" if problem.code.startswith("IST") else ""
        where = printable(str(problem.location))
        typer.echo(f"{where}: {severity}: {printable(path + problem.message)}{code}", err=err)


def require(problems: Iterable[Problem]) -> None:
    """Raises InvalidInput with the errors among the problems, if any."""
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise InvalidInput(errors)
