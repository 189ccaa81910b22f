"""Results for programs: what a run's journal says of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.api.inputs import Name
from chaos.claims.finding import Finding
from chaos.errors import ExitCode
from chaos.journal.result import PhaseSpan
from chaos.journal.result import Result as Recorded
from chaos.printable import printable_line
from chaos.report.data.journal import journal_of, only_damage
from chaos.report.data.journal import read_run as read_journal
from chaos.runner.terminal.result import RunResult
from chaos.runner.terminal.summary import summary_lines
from chaos.verify.verdict import Verdict


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Result:
    """How a run ended. Made by `run`, `run_async` and `read_run`; `recorded` is all that its journal holds.

    `folder` is where journal, logs and report are."""

    folder: Path
    recorded: Recorded
    exit_code: ExitCode

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.recorded.plan.name

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on everything that was claimed, the worst of its findings'; None when the run ended before there
        was one, by an interruption, a safeguard or a failure of the environment."""
        return Verdict(self.outcome) if self.outcome in frozenset(Verdict) else None

    @property
    def outcome(self) -> str:
        """The verdict's word, or what kept the run from one: `interrupted`, `environment-failed`, `unfinished` ..."""
        return self.recorded.outcome

    @property
    def reasons(self) -> tuple[str, ...]:
        """Sentences that say why; empty when everything is verified."""
        return self.recorded.reasons

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One for each claim: its verdict, counts, estimate and interval."""
        return self.recorded.findings

    @property
    def requests(self) -> int:
        """How many requests the verdict rests on."""
        return self.recorded.delivered.requests

    @property
    def seconds(self) -> float:
        """How long the run took."""
        return self.recorded.seconds

    @property
    def seed(self) -> int:
        """With this seed a run meets the same faults, request by request."""
        return self.recorded.plan.seed

    @property
    def phases(self) -> tuple[PhaseSpan, ...]:
        """The phases as they ran; times are seconds since the run began."""
        return self.recorded.phases

    @property
    def report(self) -> Path | None:
        """The page that was rendered for it; None when none was."""
        page = self.folder / "report.html"
        return page if page.exists() else None

    def summary(self) -> str:
        """What `chaos run` prints at the end: a line for each claim, then the verdict and where the report is."""
        ended = RunResult(
            self.name,
            self.recorded.plan.file,
            self.outcome,
            self.exit_code,
            self.reasons,
            self.findings,
            self.folder,
            self.requests,
            self.seconds,
        )
        return "\n".join(printable_line(line) for line in summary_lines(ended))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `result.json` holds them (docs/report.md): outcomes, latencies and the timeline too."""
        return self.recorded.to_dict()

    def __repr__(self) -> str:
        return f"<Result of {self.folder}: {self.outcome}>"


def read_run(run: Name) -> Result:
    """Read a run's result from its journal alone. `run` is its folder, its journal, or an experiment's folder of runs,
    whose latest is meant (`reports/abort50` or `reports/abort50/latest`).

    A run that was cut short has the outcome `unfinished`. Raises InvalidInput when there is no such run, or when its
    journal is damaged."""
    journal = journal_of(Path(os.fspath(run)))
    recorded = read_journal(journal)
    with only_damage(journal):
        return Result(journal.parent, recorded, ExitCode(recorded.exit_code))
