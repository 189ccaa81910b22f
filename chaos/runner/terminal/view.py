"""The interface through which the supervisor shows a run. `progress` implements it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.claims.finding import Finding
from chaos.runner.terminal.result import RunResult


@dataclass(frozen=True, slots=True)
class State:
    """The state of a run: `elapsed` in seconds, `rate` in requests per second, `left` the estimated seconds to go (None
    if unknown)."""

    phase: str = ""
    elapsed: float = 0.0
    requests: int = 0
    rate: float = 0.0
    users: int = 0
    left: float | None = None
    findings: Sequence[Finding] = field(default_factory=tuple)


class View:
    """A view that shows nothing; subclasses show what they override."""

    def begin(self, name: str, description: str, folder: Path) -> None:
        """Show that a run starts."""

    def event(self, level: str, text: str) -> None:
        """Show an event: a service became ready, a child ended, a phase began."""

    def update(self, state: State) -> None:
        """Show the current state. Called about once a second."""

    def end(self, result: RunResult) -> None:
        """Show the verdicts and the path of the report."""


class Views(View):
    """Several views of one run."""

    def __init__(self, *views: View):
        self._views = views

    def begin(self, name: str, description: str, folder: Path) -> None:
        for view in self._views:
            view.begin(name, description, folder)

    def event(self, level: str, text: str) -> None:
        for view in self._views:
            view.event(level, text)

    def update(self, state: State) -> None:
        for view in self._views:
            view.update(state)

    def end(self, result: RunResult) -> None:
        for view in self._views:
            view.end(result)
