"""What a run says at its end, in plain lines: one for each claim, then the verdict and where the report is.

abort 400   configured 50 %   drawn 50.1 %   observed 50.1 % of 14 000   99 % interval 48.2 .. 51.9   verified
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaos.claims.finding import Finding
from chaos.errors import ExitCode
from chaos.run.terminal.result import RunResult
from chaos.units import format_duration

DRAWN_KINDS = ("abort", "delay", "destination", "mirror")
"""Claims about shares that the gateway's own books may decide alone."""


def number(value: int) -> str:
    """With thin groups of three: `14 000`."""
    return f"{value:,}".replace(",", " ")


def percent(share: float | None) -> str:
    """`50.1 %`; more digits where a share is small."""
    if share is None:
        return "-"
    value = share * 100
    digits = 1 if value == 0 or abs(value) >= 1 else 2 if abs(value) >= 0.1 else 3
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") + " %" if value in (0, 100) else f"{value:.{digits}f} %"


def quantity(finding: Finding, value: float | None) -> str:
    """A finding's number in its unit."""
    if value is None:
        return "-"
    if finding.unit == "seconds" or finding.kind == "added-delay":
        return format_duration(value)
    if finding.unit == "share":
        return percent(value)
    return f"{value:.4g}"


def target_of(finding: Finding) -> str:
    sign = {"below": "< ", "above": "> "}.get(finding.sense, "")
    return sign + quantity(finding, finding.configured)


def estimate_of(finding: Finding) -> str:
    tally = finding.observed or finding.drawn
    of = f" of {number(tally.n)}" if tally is not None and tally.n else ""
    return quantity(finding, finding.estimate) + of if finding.estimate is not None else "-"


def interval_of(finding: Finding) -> str:
    """`48.2 .. 51.9`; an open side is left empty."""
    if finding.interval is None:
        return ""
    low, high = ("" if edge is None else quantity(finding, edge).removesuffix(" %") for edge in finding.interval)
    return f"{low} .. {high}"


def summary_lines(result: RunResult) -> Iterator[str]:
    """Everything that is said at the end of one run."""
    yield from _claims(result.findings)
    yield from result.reasons
    took = f"{number(result.requests)} requests in {result.seconds:.1f} s" if result.requests else "no requests"
    yield f"{result.outcome} ({took})"
    if result.folder is not None and (result.folder / "report.html").exists():
        yield f"report: {result.folder / 'report.html'}"
    elif result.folder is not None:
        yield f"journal: {result.folder / 'journal.jsonl'}"


def _claims(findings: Sequence[Finding]) -> Iterator[str]:
    """One aligned line for each finding, under the rule or task it is about."""
    rows = [_row(finding) for finding in findings]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(6)]
    for row in rows:
        yield "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip()


def _row(finding: Finding) -> tuple[str, str, str, str, str, str]:
    phase = "" if finding.title.startswith(f"{finding.phase}:") else finding.phase
    about = " ".join(part for part in (phase, finding.rule_name or finding.task) if part)
    drawn = f"drawn {percent(finding.drawn.share)}" if finding.drawn is not None and finding.drawn.n else ""
    observed = f"observed {estimate_of(finding)}" if finding.estimate is not None else ""
    if finding.kind in DRAWN_KINDS and finding.observed is None and drawn:
        drawn, observed = f"drawn {estimate_of(finding)}", ""  # the clients did not see these requests
    interval = f"{finding.confidence * 100:g} % interval {interval_of(finding)}" if finding.interval is not None else ""
    return (
        f"{about}  {finding.title}".strip(),
        f"configured {target_of(finding)}" if finding.configured is not None else "",
        drawn,
        observed,
        interval,
        finding.verdict.value,
    )


def table_of_runs(results: Sequence[RunResult]) -> Iterator[str]:
    """The end of `chaos run A B C`: a line for each experiment."""
    width = max(len(result.name) for result in results)
    outcome = max(len(result.outcome) for result in results)
    yield ""
    for result in results:
        decided = sum(finding.verdict.decided for finding in result.findings)
        code = f"exit {int(result.exit_code)}" if result.exit_code is not ExitCode.VERIFIED else ""
        claims = f"{decided} of {len(result.findings)} claims decided" if result.findings else ""
        took = f"{result.seconds:6.1f} s"
        yield f"{result.name:{width}}   {result.outcome:{outcome}}   {took}   {claims}   {code}".rstrip()
