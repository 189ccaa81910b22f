"""What a run tells whoever watches it. The supervisor calls these; how it looks is for `progress`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.claims.finding import Finding
from chaos.runner.terminal.result import RunResult


@dataclass(frozen=True, slots=True)
class State:
    """Where a run stands: `rate` in requests per second, `left` in seconds (None when nobody knows)."""

    phase: str = ""
    elapsed: float = 0.0
    requests: int = 0
    rate: float = 0.0
    users: int = 0
    left: float | None = None
    findings: Sequence[Finding] = field(default_factory=tuple)


class View:
    """Says nothing; others say more."""

    def begin(self, name: str, description: str, folder: Path) -> None:
        """A run starts."""

    def event(self, level: str, text: str) -> None:
        """Something worth a line: a service became ready, a child died, a phase began."""

    def update(self, state: State) -> None:
        """About once a second."""

    def end(self, result: RunResult) -> None:
        """The verdicts, and where the report is."""
