"""Print text, problems and documents on the terminal, in colour only if it is one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator

import typer

from chaos.cli.streams import what_was_lost
from chaos.errors import EnvironmentFailed, InvalidInput, Problem
from chaos.printable import printable, printable_json, printable_line

_COLORS = {"error": typer.colors.RED, "warning": typer.colors.YELLOW, "info": typer.colors.CYAN}


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text on stdout or stderr, with control characters escaped so that the terminal does not obey them."""
    typer.echo(printable(text), err=err, nl=nl)


def say_lines(lines: Iterable[str], *, err: bool = False) -> None:
    """Print each text on one line, with its line breaks escaped."""
    for line in lines:
        typer.echo(printable_line(line), err=err)


def say_json(document: str, *, nl: bool = True) -> None:
    """Print a JSON document, with control characters escaped as JSON allows, so that its meaning stays the same."""
    typer.echo(printable_json(document), nl=nl)


def print_problems(problems: Iterable[Problem], *, err: bool = False) -> None:
    """Print each problem as `file:line:column: severity: path: message [code]`."""
    for problem in problems:
        severity = typer.style(problem.severity, fg=_COLORS[problem.severity])
        path = f"{problem.path}: " if problem.path else ""
        code = f" [{problem.code}]" if problem.code.startswith("IST") else ""
        where = printable_line(str(problem.location))
        typer.echo(f"{where}: {severity}: {printable_line(path + problem.message)}{code}", err=err)


def require(problems: Iterable[Problem]) -> None:
    """Raise InvalidInput with the errors among the problems, if any."""
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise InvalidInput(errors)


def print_document(text: str) -> None:
    """Print a document that is meant for a file, where half of it would be worse than no document. Raises
    EnvironmentFailed if it was not written completely, unless the reader closed the pipe."""
    say_json(text, nl=False)
    if lost := what_was_lost(sys.stdout):
        raise EnvironmentFailed(f"cannot write the output: {lost}")


@contextlib.contextmanager
def writing(what: object) -> Iterator[None]:
    """Turn an OSError into EnvironmentFailed that says what cannot be written."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFailed(f"cannot write {what}: {error.strerror}") from None
