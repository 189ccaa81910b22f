"""The expectations as rows of ready text, grouped by subject: the page's first table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chaos import formatting as words
from chaos.claims import shown
from chaos.claims.finding import Finding
from chaos.journal.result import Result
from chaos.protocol.counters import GatewayCounters
from chaos.report.tables.banner import severity
from chaos.report.tables.drawn import drawn
from chaos.report.tables.forest import Row, forest_row
from chaos.report.tables.policies import is_policy

RULES, POLICIES = "Rules", "Policies"
SECTIONS = {
    RULES: "What the rules configure, what the gateway drew, and what users got.",
    POLICIES: "What FaultPolicies configure, what the gateway drew, and what users got.",
    "Hypotheses": "What the application must keep to{when}.",
    "Masking and amplification": "Which faults users never noticed, and how many upstream requests one of theirs "
    "caused.",
    "Safeguards": "Bounds that stop a run.",
    "Search": "The largest fault at which the hypothesis still holds.",
}
"""Titles and what they say, in the order of the page."""

_SUBJECTS = {
    "hypothesis": "Hypotheses",
    "masking": "Masking and amplification",
    "amplification": "Masking and amplification",
    "safeguard": "Safeguards",
    "search": "Search",
}


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One expectation as the page shows it."""

    finding: Finding
    title: str
    context: str
    anchor: str
    place: str
    configured: str
    tolerance: str
    drawn: str
    drawn_of: str
    observed: str
    observed_of: str
    interval: str
    interval_confidence: str
    n: str
    forest: Row | None
    needed: str


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    intro: str
    rows: tuple[FindingRow, ...]


def sections(result: Result) -> tuple[Section, ...]:
    """Group the findings by subject; refuted ones come first, within a subject and among subjects. Empty subjects are
    left out."""
    made = []
    for title, intro in SECTIONS.items():
        chosen = [each for each in sorted(result.findings, key=severity) if _subject(each) == title]
        if chosen:
            rows = tuple(finding_row(each, result.counters, len(result.phases) > 1) for each in chosen)
            made.append(Section(title, intro.format(when=_when(chosen, result)), rows))
    return tuple(sorted(made, key=_urgency))


def _subject(finding: Finding) -> str:
    return POLICIES if is_policy(finding) else _SUBJECTS.get(finding.kind, RULES)


def _when(findings: Sequence[Finding], result: Result) -> str:
    """Return when these claims hold, to end a sentence: faults are on in all of their phases, or not in all."""
    on = {span.name: span.faults for span in result.phases}
    if all(on.get(finding.phase, False) for finding in findings):
        return " while faults are on"
    return ", each in its phase" if all(finding.phase for finding in findings) else ""


def _urgency(section: Section) -> int:
    """Return a sort key. A search's answer comes before the levels that it tried."""
    first = section.rows[0].finding
    return -1 if first.kind == "search" else severity(first)


def finding_row(finding: Finding, counters: GatewayCounters | None, several_phases: bool = False) -> FindingRow:
    """Return a finding's row."""
    width = words.spread(finding.interval)
    context = [finding.rule_name, finding.task, f"phase {finding.phase}" if finding.phase and several_phases else ""]
    seen = finding.observed or finding.drawn
    drawn_value, drawn_of = drawn(finding, counters)
    return FindingRow(
        finding=finding,
        title=finding.title,
        context=" \u00b7 ".join(part for part in context if part and part != finding.title),
        anchor=anchor_of(finding.where),
        place=finding.where.rpartition("/")[2],
        configured=shown.configured(finding),
        tolerance=shown.tolerance(finding),
        drawn=drawn_value,
        drawn_of=drawn_of,
        observed=words.quantity(finding.estimate, finding.unit, width),
        observed_of=shown.tally(finding.observed) if finding.observed and finding.unit == "share" else "",
        interval=words.interval(finding.interval, finding.unit),
        interval_confidence=words.confidence(finding.alpha),
        n=words.count(seen.n) if seen else words.NONE,
        forest=forest_row(finding),
        needed=_needed(finding),
    )


def anchor_of(where: str) -> str:
    """Return the page's anchor for `file:line:column`, empty without one."""
    file, _, rest = (
        where.partition(":") if where.count(":") < 2 else (where.rsplit(":", 2)[0], "", where.rsplit(":", 2)[1])
    )
    return line_anchor(file, int(rest)) if rest.isdigit() else ""


def line_anchor(file: str, line: int) -> str:
    return "line-" + "".join(letter if letter.isalnum() else "-" for letter in file) + f"-{line}"


def _needed(finding: Finding) -> str:
    """Return how many more requests would decide; empty where the sentence says so already."""
    if not finding.needed or "more requests" in finding.sentence:
        return ""
    return f"about {words.count(finding.needed)} more requests would decide"
