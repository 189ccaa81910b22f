"""Problems that point at the user's line, the exceptions that carry them, and the exit codes of `chaos`.

ChaosError                  one base class; `exit_code` says how the command ends
 +-- InvalidInput           the user's files or arguments are wrong: every problem found, at once (2)
 +-- EnvironmentFailed      a port is taken, a service unreachable, a child died, load not delivered (5)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

from chaos.printable import printable_line

Severity = Literal["error", "warning", "info"]
Authority = Literal["schema", "admission", "analyzer", "chaos"]
"""Who says so: the document's schema, Istio's admission webhook, one of Istio's analyzers, or this project."""


class ExitCode(IntEnum):
    """The exit codes of `chaos`. Of several runs, the command returns the worst one."""

    VERIFIED = 0
    FALSIFIED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    SAFEGUARD = 4
    ENVIRONMENT = 5
    NO_TRAFFIC = 6
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file; line and column count from 1. Line 0: an argument, or a folder, which has no lines."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """An error, warning or info about one place in one file.

    `path` is the field's path as Istio writes it (`spec.http[0].fault.abort`), empty for the file as a whole.
    `code` is Istio's analyzer code (`IST0130`) or our own short word, for tools that filter. `fix` is what to write
    there instead, where the message proposes something."""

    location: Location
    path: str
    message: str
    severity: Severity = "error"
    code: str = ""
    fix: str | None = None

    @property
    def by(self) -> Authority:
        """Who says so. A cluster refuses what `schema` and `admission` call an error, and takes the rest."""
        if self.code.startswith("IST"):
            return "analyzer"
        return "schema" if self.code == "schema" else "admission" if self.code == "admission" else "chaos"

    def to_dict(self) -> dict[str, Any]:
        """Return the problem as plain values for JSON, which `from_dict` reads back."""
        return {
            "file": self.location.file,
            "line": self.location.line,
            "column": self.location.column,
            "path": self.path,
            "code": self.code,
            "severity": self.severity,
            "by": self.by,
            "message": self.message,
            "fix": self.fix,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Problem:
        """Return the problem of a record that `to_dict` made; what is missing there is left empty."""
        place = Location(str(value.get("file", "rules")), int(value.get("line", 1)), int(value.get("column", 1)))
        path, message, code = (str(value.get(name, "")) for name in ("path", "message", "code"))
        severity = value.get("severity")
        fix = value.get("fix")
        return cls(
            place,
            path,
            message,
            severity if severity in ("warning", "info") else "error",
            code,
            fix if isinstance(fix, str) else None,
        )

    def __str__(self) -> str:
        """Return the problem as one line, with line breaks in quoted text escaped."""
        where = f"{self.location}: {self.path}: " if self.path else f"{self.location}: "
        return printable_line(f"{where}{self.message}")


class ChaosError(Exception):
    """The base class of errors that end a command with a message for the user instead of a traceback."""

    exit_code: ExitCode = ExitCode.USAGE


class InvalidInput(ChaosError):  # noqa: N818 - named for what happened, as in httpx
    """The user's files or arguments are wrong. `problems` is never empty; str() has a line for each."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: Iterable[Problem]):
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @classmethod
    def at(cls, file: str, message: str, *, line: int = 1, column: int = 1, path: str = "") -> InvalidInput:
        return cls([Problem(Location(file, line, column), path, message)])

    @classmethod
    def of(cls, what: str, message: str) -> InvalidInput:
        """Return the error about something that has no lines: an argument of the command, or a folder."""
        return cls.at(what, message, line=0)


class EnvironmentFailed(ChaosError):  # noqa: N818 - as above
    """The environment failed, not the user's rules: a port is taken, a service is unreachable, a child died."""

    exit_code = ExitCode.ENVIRONMENT
