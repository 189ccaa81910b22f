"""A run's outcome in a headline and a sentence or two: the first thing, and often the only thing, that people read."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from chaos import formatting as words
from chaos.claims.finding import Finding
from chaos.journal.records import Plan
from chaos.journal.result import Result
from chaos.verify.verdict import WORST_FIRST, Verdict

HEADLINES = {
    "verified": "Verified",
    "falsified": "Falsified",
    "inconclusive": "Inconclusive",
    "no-traffic": "No traffic",
    "safeguard": "Stopped by a safeguard",
    "environment-failed": "The environment failed",
    "interrupted": "Interrupted",
    "unfinished": "The run did not end",
}
SHOWN = 3  # findings described in words; the table has the others
OURS = "our gateway"  # the engine of a run that names none


@dataclass(frozen=True, slots=True)
class Banner:
    """`tone` selects colour and icon: verified, falsified, inconclusive, no-traffic or failed."""

    tone: str
    headline: str
    lead: str
    details: tuple[str, ...]
    guarantee: str


def banner(result: Result) -> Banner:
    """Return the banner of a run."""
    return Banner(
        tone=tone_of(result.outcome),
        headline=headline(result.outcome),
        lead=_lead(result),
        details=(*_reasons(result), *(() if _searches(result) else _details(result.findings))),
        guarantee=_guarantee(result),
    )


def headline(outcome: str) -> str:
    return HEADLINES.get(outcome) or outcome.replace("-", " ").capitalize()


def tone_of(outcome: str) -> str:
    return outcome if outcome in {verdict.value for verdict in Verdict} else "failed"


def _lead(result: Result) -> str:
    if searches := _searches(result):
        return searches[0].sentence or told_of(searches[0])
    findings = result.findings
    total = len(findings)
    if not total:
        return "Nothing was tested: the run has no verdict."
    of = {verdict: [each for each in findings if each.verdict is verdict] for verdict in Verdict}
    what = "expectation"
    if (
        len(of[Verdict.VERIFIED]) + len(of[Verdict.NOT_JUDGED]) == total
        and of[Verdict.VERIFIED]
        and of[Verdict.NOT_JUDGED]
    ):
        seen = words.plural(len(of[Verdict.VERIFIED]), what)
        return f"All that this run can see holds: {seen} of {words.count(total)}."
    if len(of[Verdict.VERIFIED]) == total:
        return {1: f"The one {what} holds.", 2: f"Both {what}s hold."}.get(total, f"All {total} {what}s hold.")
    parts = []
    for verdict, one, many in (
        (Verdict.FALSIFIED, "does not hold", "do not hold"),
        (Verdict.NO_TRAFFIC, "saw no request", "saw no request"),
        (Verdict.INCONCLUSIVE, "is undecided", "are undecided"),
        (Verdict.VERIFIED, "holds", "hold"),
        (Verdict.NOT_JUDGED, "cannot be seen", "cannot be seen"),
    ):
        number = len(of[verdict])
        if number:
            parts.append(f"{number} {one if number == 1 else many}")
    return f"Of {words.plural(total, what)}, {words.listed(parts)}." if total > 1 else f"The one {what} {parts[0][2:]}."


def _searches(result: Result) -> list[Finding]:
    """Return the search's finding, if there is one. It replaces the others: that a hypothesis breaks at some levels is
    how a search finds its answer."""
    return [finding for finding in result.findings if finding.kind == "search"]


def _reasons(result: Result) -> tuple[str, ...]:
    """Return why the run ended as it did, without reasons that a finding's sentence already gives."""
    said = {finding.sentence for finding in result.findings}
    return tuple(reason for reason in result.reasons if reason not in said)[:SHOWN]


def _details(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return the sentences of what did not hold, then of what is undecided; of verified findings only when there are
    few."""
    troubled = [finding for finding in sorted(findings, key=severity) if finding.verdict is not Verdict.VERIFIED]
    shown = troubled or list(findings if len(findings) <= SHOWN else ())
    told = [told_of(finding) for finding in shown[:SHOWN]]
    if len(shown) > SHOWN:
        told.append(f"\u2026 and {words.count(len(shown) - SHOWN)} more below.")
    return tuple(told)


def severity(finding: Finding) -> int:
    """Return a sort key: 0 for a refuted finding, which matters most, to 4 for a verified one."""
    return WORST_FIRST.index(finding.verdict)


def told_of(finding: Finding) -> str:
    """Return the finding in a sentence that can stand alone: its title, its phase, and what was found."""
    phase = "" if finding.title.startswith(finding.phase) else finding.phase
    whose = " \u00b7 ".join(part for part in (finding.title, phase) if part)
    return f"{whose}: {finding.sentence}" if finding.sentence else whose


def _guarantee(result: Result) -> str:
    if not result.findings:
        return ""
    sure, risk = words.exact(result.plan.confidence, "share"), words.exact(1 - result.plan.confidence, "share")
    return (
        f"Verdicts at {sure} confidence: a run as a whole is wrong at most {risk} of the time, whenever it is stopped."
    )


def repeat_command(plan: Plan) -> str:
    """Return the command that repeats the run, with its seed: the same requests get the same faults. What was judged
    from samples has none, nor has an engine with dice of its own."""
    command = [*plan.command] or ["chaos", "run", plan.file]
    if not plan.of_samples and not plan.engine and not any(each.startswith("--seed") for each in command):
        command += ["--seed", str(plan.seed)]
    return shlex.join(command)
