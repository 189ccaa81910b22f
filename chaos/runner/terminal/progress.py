"""Show a run: a live table on a terminal, and a plain line now and then in a log or pipe.

rich is imported only for the table.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from chaos.claims.finding import Finding
from chaos.formatting import listed, plain_count
from chaos.printable import printable, printable_line
from chaos.runner.terminal.result import RunResult
from chaos.runner.terminal.summary import estimate_of, interval_of, summary_lines, target_of
from chaos.runner.terminal.view import State, View

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

MOST_OPEN = 3  # claims that a line of progress names
PLAIN_EVERY = 10.0  # seconds between lines of progress

_STYLES = {
    "verified": "bold green",
    "falsified": "bold red",
    "inconclusive": "yellow",
    "no-traffic": "bold magenta",
    "not-judged": "dim",
}


def view_for(stream: TextIO | None = None) -> View:
    """Return the live table for a terminal, plain lines for any other stream (stdout by default)."""
    stream = stream or sys.stdout
    return LiveView() if stream.isatty() else PlainView(stream)


class PlainView(View):
    """Lines for logs and pipes: events, progress every ten seconds, and the result."""

    def __init__(self, stream: TextIO | None = None, now: Callable[[], float] = time.monotonic):
        self._stream = stream or sys.stdout
        self._now = now
        self._next = now() + PLAIN_EVERY

    def _line(self, text: str) -> None:
        print(printable_line(text), file=self._stream, flush=True)

    def begin(self, name: str, description: str, folder: Path) -> None:
        self._line(f"{name}: {' '.join(description.split())}" if description else name)

    def event(self, level: str, text: str) -> None:
        for line in (text if level == "info" else f"{level}: {text}").splitlines():
            self._line(line)

    def update(self, state: State) -> None:
        if self._now() < self._next:
            return
        self._next = self._now() + PLAIN_EVERY
        decided = sum(finding.verdict.decided for finding in state.findings)
        phase = f"{state.phase}: " if state.phase else ""
        left = [finding.name for finding in state.findings if finding.open]
        more = [f"{len(left) - MOST_OPEN} more"] if len(left) > MOST_OPEN else []
        still = f"; open: {listed([*left[:MOST_OPEN], *more])}" if left and decided else ""
        self._line(
            f"{phase}{state.elapsed:.0f} s, {plain_count(state.requests)} requests, "
            f"{plain_count(round(state.rate))}/s, {decided} of {len(state.findings)} decided{still}"
        )

    def end(self, result: RunResult) -> None:
        for line in summary_lines(result, _width(self._stream)):
            self._line(line)


class ResultView(View):
    """The result alone, and what went wrong on the way on stderr."""

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream or sys.stdout

    def event(self, level: str, text: str) -> None:
        if level == "error":
            print(printable_line(f"{level}: {text}"), file=sys.stderr, flush=True)

    def end(self, result: RunResult) -> None:
        for line in summary_lines(result, _width(self._stream)):
            print(printable_line(line), file=self._stream, flush=True)


class LiveView(View):
    """A table that is updated in place: each claim with its observed share and the interval around it."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console()
        self._live: Live | None = None

    def begin(self, name: str, description: str, folder: Path) -> None:
        from rich.live import Live
        from rich.text import Text

        self._console.print(Text.assemble((printable(name), "bold"), f"  {printable(description)}"))
        self._live = Live(
            Text("starting ...", style="dim"), console=self._console, refresh_per_second=4, transient=True
        )
        self._live.start()

    def event(self, level: str, text: str) -> None:
        style = {"warning": "yellow", "error": "bold red"}.get(level, "dim")
        self._console.print(printable(text), style=style, markup=False, highlight=False)

    def update(self, state: State) -> None:
        if self._live is not None:
            self._live.update(self._table(state))

    def _table(self, state: State) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
        for title in ("claim", "configured", "observed", "", "verdict"):
            table.add_column(title)
        for finding in state.findings[:30]:
            table.add_row(
                Text(_claim(finding)),
                target_of(finding),
                f"{estimate_of(finding)}  {interval_of(finding)}",
                Text(bar(finding), style=_STYLES[finding.verdict.value]),
                Text(finding.verdict.value if finding.verdict.decided else "...", style=_STYLES[finding.verdict.value]),
            )
        left = f"   about {state.left:.0f} s left" if state.left is not None else ""
        phase = f"{printable(state.phase)}   " if state.phase else ""
        foot = (
            f"{phase}{state.elapsed:.1f} s   {plain_count(state.requests)} requests   "
            f"{plain_count(round(state.rate))}/s   {state.users} users{left}"
        )
        return Group(table, Text(foot, style="dim"))

    def end(self, result: RunResult) -> None:
        from rich.text import Text

        if self._live is not None:
            self._live.stop()
        for line in summary_lines(result, self._console.width):
            text = Text(printable_line(line))
            for word, style in _STYLES.items():
                text.highlight_words([word], style)
            self._console.print(text, soft_wrap=True)


def _width(stream: TextIO) -> int | None:
    """Return the columns of a terminal, None for any other stream: logs have no width."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def _claim(finding: Finding) -> str:
    about = finding.rule_name or finding.task
    return printable_line(f"{about}  {finding.title}" if about else finding.title)


def bar(finding: Finding, width: int = 31) -> str:
    """Return a bar with the interval (`━`), the estimate (`●`) and the tolerance (`|`) around the target; empty without
    an interval or tolerance."""
    if finding.interval is None or finding.configured is None or finding.tolerance is None or finding.tolerance <= 0:
        return ""
    reach = 4 * finding.tolerance
    low, high = finding.configured - reach, finding.configured + reach

    def column(value: float | None, default: float) -> int:
        share = ((default if value is None else value) - low) / (high - low)
        return min(max(round(share * (width - 1)), 0), width - 1)

    cells = ["·"] * width
    for edge in (finding.configured - finding.tolerance, finding.configured + finding.tolerance):
        cells[column(edge, edge)] = "|"
    first, last = column(finding.interval[0], low), column(finding.interval[1], high)
    for at in range(first, last + 1):
        cells[at] = "━"
    if finding.estimate is not None:
        cells[column(finding.estimate, low)] = "●"
    return "".join(cells)
