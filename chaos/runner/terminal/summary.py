"""Write the summary of a run in plain lines: one for each claim, then the verdict and the path of the report.

abort 400   configured 50 %   drawn 50.1 %   observed 50.1 % of 14 000   99 % interval 48.2 .. 51.9   verified
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaos import formatting
from chaos.claims.finding import Finding
from chaos.errors import ExitCode
from chaos.formatting import plain_count, plain_share
from chaos.runner.terminal.result import RunResult
from chaos.units import format_duration


def quantity(finding: Finding, value: float | None) -> str:
    """Return a number in the finding's unit, with the digits that its interval supports; `-` for None."""
    if value is None:
        return "-"
    if finding.unit == "seconds":
        return format_duration(value)
    return formatting.plain(formatting.quantity(value, finding.unit, formatting.spread(finding.interval)))


def target_of(finding: Finding) -> str:
    """Return the claimed value, as in `< 5 %`."""
    sign = {"below": "< ", "above": "> "}.get(finding.sense, "")
    if finding.configured is None or finding.unit == "seconds":
        return sign + quantity(finding, finding.configured)
    return sign + formatting.plain(formatting.exact(finding.configured, finding.unit))


def estimate_of(finding: Finding) -> str:
    """Return the estimate and its number of requests, as in `50.1 % of 14 000`."""
    tally = finding.observed or finding.drawn
    of = f" of {plain_count(tally.n)}" if tally is not None and tally.n else ""
    return quantity(finding, finding.estimate) + of if finding.estimate is not None else "-"


def interval_of(finding: Finding) -> str:
    """Return `48.2 .. 51.9`; with an open side `at most 51.9` or `at least 48.2`, empty without an interval."""
    if finding.interval is None or finding.interval == (None, None):
        return ""
    low, high = ("" if edge is None else quantity(finding, edge).removesuffix(" %") for edge in finding.interval)
    if not low or not high:
        return f"at least {low}" if low else f"at most {high}"
    return f"{low} .. {high}"


def summary_lines(result: RunResult, width: int | None = None) -> Iterator[str]:
    """Yield the lines at the end of one run. Claims that do not fit into `width` columns take two lines each."""
    yield from _claims(result.findings, width)
    yield from result.reasons
    took = f" in {result.seconds:.1f} s" if result.seconds else ""  # counts without times took none
    sent = f"{plain_count(result.requests)} requests{took}" if result.requests else "no requests"
    yield f"{result.outcome} ({sent})"
    if result.look:
        yield result.look
    if result.folder is not None and (result.folder / "report.html").exists():
        yield f"report: {result.folder / 'report.html'}"
    elif result.folder is not None:
        yield f"journal: {result.folder / 'journal.jsonl'}"


def _claims(findings: Sequence[Finding], columns: int | None) -> Iterator[str]:
    """Yield an aligned line for each finding, with its rule or task first; two if one is too long."""
    rows = [_row(finding) for finding in findings]
    lines = list(_aligned(rows))
    if columns is None or max(map(len, lines), default=0) <= columns:
        yield from lines
        return
    for row, numbers in zip(rows, _aligned([row[1:5] for row in rows]), strict=True):
        yield f"{row[5]}: {row[0]}"
        if numbers:
            yield f"  {numbers if len(numbers) + 2 <= columns else '  '.join(cell for cell in row[1:5] if cell)}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip()


def _row(finding: Finding) -> tuple[str, str, str, str, str, str]:
    phase = "" if finding.title.startswith(f"{finding.phase}:") else finding.phase
    about = " ".join(part for part in (phase, finding.rule_name or finding.task) if part)
    width = formatting.spread(finding.interval) if finding.unit == "share" else None
    # The dice of a delay draw whether there is one, which stands beside the share of delays.
    drawn_here = finding.drawn if finding.unit == "share" else None
    drawn = f"drawn {plain_share(drawn_here.share, width)}" if drawn_here is not None and drawn_here.n else ""
    observed = f"observed {estimate_of(finding)}" if finding.estimate is not None else ""
    if finding.observed is None and finding.estimate is not None and drawn:
        drawn, observed = f"drawn {estimate_of(finding)}", ""  # the clients did not see these requests
    interval = f"{finding.confidence * 100:g} % interval {interval_of(finding)}" if interval_of(finding) else ""
    return (
        f"{about}  {finding.title}".strip(),
        f"configured {target_of(finding)}" if finding.configured is not None else "",
        drawn,
        observed,
        interval,
        finding.verdict.value,
    )


def table_of_runs(results: Sequence[RunResult]) -> Iterator[str]:
    """Yield the last lines of `chaos run A B C`, one for each experiment."""
    width = max(len(result.name) for result in results)
    outcome = max(len(result.outcome) for result in results)
    yield ""
    for result in results:
        decided = sum(finding.verdict.decided for finding in result.findings)
        code = f"exit {int(result.exit_code)}" if result.exit_code is not ExitCode.VERIFIED else ""
        claims = f"{decided} of {len(result.findings)} claims decided" if result.findings else ""
        took = f"{result.seconds:6.1f} s"
        yield f"{result.name:{width}}   {result.outcome:{outcome}}   {took}   {claims}   {code}".rstrip()
