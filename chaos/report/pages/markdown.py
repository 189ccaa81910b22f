"""The report as Markdown, short enough for a pull request's comment or a chat."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chaos import formatting as words
from chaos.claims import shown
from chaos.claims.finding import Finding
from chaos.journal.result import Result
from chaos.protocol.counters import GatewayCounters
from chaos.report.tables.all import Tables
from chaos.report.tables.banner import banner, repeat_command
from chaos.report.tables.drawn import drawn

MARKS = {
    "verified": "\u2705",
    "falsified": "\u274c",
    "inconclusive": "\u2753",
    "no-traffic": "\u2205",
    "not-judged": "\u2796",
    "failed": "\u26a0\ufe0f",
}
FINDINGS = ("", "expectation", "configured", "drawn", "observed", "interval", "n")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def markdown(result: Result, tables: Tables) -> str:
    """Return the report's text."""
    said, plan = banner(result), result.plan
    parts = [f"# {MARKS[said.tone]} {said.headline}: {escaped(plan.name)}"]
    if plan.description:
        parts.append(escaped(plan.description))
    parts.append(f"**{escaped(said.lead)}** {said.guarantee}".strip())
    if said.details:
        parts.append("\n".join(f"- {escaped(detail)}" for detail in said.details))
    if result.findings:
        parts.append(_table(FINDINGS, [_row(each, result.counters) for each in result.findings]))
    if tables.statuses:
        parts += ["## What users saw", _statuses(tables), "## Latency", _latencies(tables)]
    parts.append(f"Run it again:\n\n{_fenced(repeat_command(plan))}")
    seed = "" if plan.of_samples else f" seed {plan.seed},"
    parts.append(f"Started {words.when(plan.started)},{seed} exit code {result.exit_code}.")
    return "\n\n".join(parts) + "\n"


def _statuses(tables: Tables) -> str:
    rows = [
        (
            group.phase,
            group.task,
            f"{row.status} {row.meaning}".strip(),
            row.expected,
            row.share,
            row.interval,
            row.count,
        )
        for group in tables.statuses
        for row in group.rows
    ]
    return _table(("phase", "task", "status", "expected", "observed", "interval", "n"), rows)


def _latencies(tables: Tables) -> str:
    rows = [
        (group.phase, group.task, row.group, row.n, *(value for value, _ in row.quantiles), row.maximum)
        for group in tables.latencies
        for row in group.rows
    ]
    return _table(("phase", "task", "requests that were", "n", "p50", "p90", "p95", "p99", "p99.9", "max"), rows)


def _row(finding: Finding, counters: GatewayCounters | None) -> tuple[str, ...]:
    width = words.spread(finding.interval)
    seen = finding.observed or finding.drawn
    return (
        f"{MARKS[finding.verdict.value]} {finding.verdict.value}",
        " ".join(
            part
            for part in (finding.title, f"({finding.rule_name})" if finding.rule_name else "", finding.phase)
            if part
        ),
        f"{shown.configured(finding)} {shown.tolerance(finding)}".strip(),
        drawn(finding, counters)[0],
        words.quantity(finding.estimate, finding.unit, width),
        words.interval(finding.interval, finding.unit),
        words.count(seen.n) if seen else words.NONE,
    )


def _table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table without the columns that are empty in every row."""
    kept = [index for index in range(len(names)) if any(row[index] for row in rows)]
    lines = [
        [names[index] for index in kept],
        ["---"] * len(kept),
        *([escaped(row[index]) for index in kept] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Escape a text so that Markdown shows it as it is, on one line; HTML in it stays text."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.replace(words.THIN, "\u00a0").split(None if "\n" in text else " ")))


def _fenced(text: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}sh\n{text}\n{fence}"
