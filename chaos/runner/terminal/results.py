"""The results of several runs in the forms that other programs read: JSON, and Markdown for a job's summary page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from chaos.claims.finding import Finding
from chaos.formatting import plain_count
from chaos.runner.terminal.result import RunResult
from chaos.runner.terminal.summary import estimate_of, interval_of, target_of

MARKS = {
    "verified": "✅",
    "falsified": "❌",
    "inconclusive": "❓",
    "no-traffic": "∅",
    "not-judged": "➖",
}
OTHER = "⚠️"
COLUMNS = ("", "claim", "configured", "observed", "interval", "verdict")


def record_of(result: RunResult) -> dict[str, Any]:
    """Return what `chaos run --format json` prints of a run: the content of its result.json, with the `folder`. Of a
    run without one, what is known of it."""
    found: dict[str, Any] = {}
    if result.folder is not None and (result.folder / "result.json").exists():
        found = json.loads((result.folder / "result.json").read_text(encoding="utf-8"))
    return {
        "name": result.name,
        "file": result.file,
        "outcome": result.outcome,
        "reasons": list(result.reasons),
        "seconds": round(result.seconds, 3),
        "findings": [finding.to_dict() for finding in result.findings],
        **found,
        "exit_code": int(result.exit_code),
        "folder": str(result.folder) if result.folder is not None else None,
    }


def markdown_of(results: Sequence[RunResult]) -> str:
    """Return a section for each run: its outcome, a table of its claims, and the reasons of what was not verified."""
    return "\n\n".join("\n".join(_section(result)) for result in results) + "\n"


def _section(result: RunResult) -> Iterator[str]:
    yield f"### {MARKS.get(result.outcome, OTHER)} {_cell(result.name)}: {_cell(result.outcome)}"
    yield ""
    if result.findings:
        yield f"| {' | '.join(COLUMNS)} |"
        yield f"|{'---|' * len(COLUMNS)}"
        yield from (_row(finding) for finding in result.findings)
        yield ""
    yield from (f"- {_cell(reason)}" for reason in result.reasons)
    if result.reasons:
        yield ""
    requests = plain_count(result.requests) if result.requests else "no"
    yield f"{requests} requests in {result.seconds:.1f} s, exit code {int(result.exit_code)}"


def _row(finding: Finding) -> str:
    about = " ".join(part for part in (finding.phase, finding.rule_name or finding.task, finding.title) if part)
    cells = (
        MARKS[finding.verdict.value],
        about,
        target_of(finding) if finding.configured is not None else "",
        estimate_of(finding),
        interval_of(finding),
        finding.verdict.value,
    )
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """Return text on one line, in which no character means anything to Markdown."""
    one_line = " ".join(text.split())
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#~" else char for char in one_line)
