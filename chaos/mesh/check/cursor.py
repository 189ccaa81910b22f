"""A cursor into one resource that collects the problems there.

`At(resource)` points at the root; `at.into("spec", "http", 0)` returns a cursor at a field; `at.error(...)` reports
there. Checks take a cursor and a value, so they name a field once and never build a path by hand."""

from __future__ import annotations

from typing import Any

from chaos.errors import Problem, Severity
from chaos.mesh.model.resources import Resource
from chaos.mesh.read.shape import Wording
from chaos.mesh.source.document import Path, one_line


class At:
    """A place in a resource. Cursors of one resource share their list of problems.

    Where Istio makes a warning and loses it on the way, the cursor is `quiet`: its warnings are infos of ours."""

    __slots__ = ("path", "problems", "quiet", "resource")

    def __init__(
        self, resource: Resource[Any], path: Path = (), problems: list[Problem] | None = None, quiet: bool = False
    ):
        self.quiet = quiet
        self.resource = resource
        self.path = path
        self.problems: list[Problem] = [] if problems is None else problems

    def into(self, *steps: str | int) -> At:
        """Return a cursor further inside."""
        return At(self.resource, (*self.path, *steps), self.problems, self.quiet)

    def quietly(self, *steps: str | int) -> At:
        """Return a quiet cursor here, or further inside."""
        return At(self.resource, (*self.path, *steps), self.problems, quiet=True)

    @property
    def unread(self) -> bool:
        """Whether the resource is not what the document says here; whatever is said would be a guess."""
        return self.resource.gaps.meet(self.path)

    def error(self, message: str | Wording, code: str = "admission") -> None:
        self._report(message, "error", code)

    def warn(self, message: str | Wording, code: str = "admission") -> None:
        if self.quiet:
            self.info(message, "not-warned")
        else:
            self._report(message, "warning", code)

    def info(self, message: str | Wording, code: str = "") -> None:
        self._report(message, "info", code)

    def unless(self, message: str | Wording | None, code: str = "admission") -> None:
        """Report an error if there is a message; checks of values return one, or None."""
        if message:
            self.error(message, code)

    def _report(self, message: str | Wording, severity: Severity, code: str) -> None:
        if self.unread:
            return
        where = self.resource.locate(self.path)
        path = self.resource.path(self.path)
        said = message if isinstance(message, Wording) else Wording(message)
        self.problems.append(Problem(where, path, one_line(said.text), severity, said.code or code, said.fix))
