"""The result of a run: its outcome, exit code and reasons."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.claims.finding import Finding
from chaos.claims.kinds import BY_NAME
from chaos.errors import ExitCode
from chaos.verify.verdict import Verdict, worst

_CODES = {
    Verdict.VERIFIED: ExitCode.VERIFIED,
    Verdict.FALSIFIED: ExitCode.FALSIFIED,
    Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Verdict.NO_TRAFFIC: ExitCode.NO_TRAFFIC,
}

# An interruption, bad usage or a failed environment first, because other verdicts mean little beside them.
_WORST_FIRST = (
    ExitCode.INTERRUPTED,
    ExitCode.USAGE,
    ExitCode.ENVIRONMENT,
    ExitCode.FALSIFIED,
    ExitCode.SAFEGUARD,
    ExitCode.NO_TRAFFIC,
    ExitCode.INCONCLUSIVE,
    ExitCode.VERIFIED,
)


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of one run. `folder` is None if the run failed before it had one; `look` says where to look for
    failures that met no fault."""

    name: str
    file: str
    outcome: str
    exit_code: ExitCode
    reasons: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    folder: Path | None = None
    requests: int = 0
    seconds: float = 0.0
    look: str = ""


def outcome_of(
    findings: Sequence[Finding], without_faults: Collection[str] = ()
) -> tuple[str, ExitCode, tuple[str, ...]]:
    """Return outcome and exit code of a run by its worst verdict, and the sentences of the findings that have it.

    `without_faults` are the phases in which no fault is on. What the rules alone claim of these (nothing is aborted,
    everything is routed) is no question that the user asked: left open, it does not leave an answered run open."""
    notes = [finding for finding in findings if _is_note(finding, without_faults)]
    rest = [finding for finding in findings if finding not in notes]
    if notes and any(_tells_of_rules(finding) for finding in rest):
        outcome, code, reasons = outcome_of(rest)
        return outcome, code, (*reasons, *(f"Left open, and no part of the outcome: {_words(each)}" for each in notes))
    verdict = worst(finding.verdict for finding in findings)
    if verdict is Verdict.VERIFIED and not any(_tells_of_rules(finding) for finding in findings):
        verdict = Verdict.INCONCLUSIVE
    reasons = tuple(_words(finding) for finding in findings if finding.verdict is verdict)
    if verdict is Verdict.INCONCLUSIVE and not reasons:
        reasons = tuple(_words(finding) for finding in findings if finding.verdict is Verdict.NOT_JUDGED)
    return verdict.value, _CODES[verdict], () if verdict is Verdict.VERIFIED else reasons


def _is_note(finding: Finding, without_faults: Collection[str]) -> bool:
    return finding.verdict is Verdict.INCONCLUSIVE and finding.kind in BY_NAME and finding.phase in without_faults


def _tells_of_rules(finding: Finding) -> bool:
    """Return whether a verified finding says something of what the rules do: that responses come is not enough."""
    kind = BY_NAME.get(finding.kind)
    return finding.verdict is Verdict.VERIFIED and (kind is None or not kind.of_whole_phase)


def _words(finding: Finding) -> str:
    name = f"{finding.rule_name or finding.task}: " if finding.rule_name or finding.task else ""
    return finding.sentence or f"{name}{finding.title}: {finding.verdict.value}"


def worst_code(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the exit code of several runs: the first of theirs in _WORST_FIRST."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), ExitCode.VERIFIED)
