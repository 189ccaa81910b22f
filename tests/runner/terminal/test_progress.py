"""A run on the terminal: plain lines for logs, a live table where a person watches."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from chaos.claims.finding import Finding, Tally
from chaos.errors import ExitCode
from chaos.runner.terminal.progress import PLAIN_EVERY, LiveView, PlainView, bar, view_for
from chaos.runner.terminal.result import RunResult
from chaos.runner.terminal.view import State, View
from chaos.verify.verdict import Verdict

ABORT = Finding(
    id="1",
    kind="abort",
    title="abort 400",
    verdict=Verdict.INCONCLUSIVE,
    rule_name="web[0]",
    configured=0.5,
    tolerance=0.02,
    observed=Tally(500, 1000),
    estimate=0.5,
    interval=(0.46, 0.54),
)
STATE = State("fault", 12.4, 14000, 1234.5, 20, 7.6, (ABORT, replace(ABORT, verdict=Verdict.VERIFIED)))
RESULT = RunResult("case", "case.yaml", "verified", ExitCode.VERIFIED, (), (ABORT,), None, 1000, 3.0)
HOSTILE = "web\x1b[2J\n\u202everified"


# ------------------------------------------------------------------------------------------------ plain lines


class Plain:
    """A plain view with a clock that the test moves."""

    def __init__(self) -> None:
        self.stream, self.seconds = io.StringIO(), 100.0
        self.view = PlainView(self.stream, lambda: self.seconds)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("description", "line"), [("", "case"), ("Half fail.", "case: Half fail."), ("Half\n  fail.\n", "case: Half fail.")]
)
def test_a_run_begins_with_its_name_and_what_it_is_for(description: str, line: str) -> None:
    plain = Plain()
    plain.view.begin("case", description, Path())
    assert plain.lines == [line]


@pytest.mark.parametrize(
    ("level", "text", "lines"),
    [
        ("info", "web is ready", ["web is ready"]),
        ("warning", "late", ["warning: late"]),
        ("error", "a child died\nits last words", ["error: a child died", "its last words"]),
    ],
)
def test_an_event_is_a_line_and_says_how_bad_it_is(level: str, text: str, lines: list[str]) -> None:
    plain = Plain()
    plain.view.event(level, text)
    assert plain.lines == lines


def test_where_a_run_stands_is_said_every_ten_seconds() -> None:
    plain = Plain()
    for seconds in (0.0, 9.9, 0.1, 5.0, 4.9, 0.1):
        plain.seconds += seconds
        plain.view.update(replace(STATE, elapsed=plain.seconds - 100))
    assert PLAIN_EVERY == 10.0
    assert plain.lines == [
        "fault: 10 s, 14 000 requests, 1 234/s, 1 of 2 decided; open: web[0] abort 400",
        "fault: 20 s, 14 000 requests, 1 234/s, 1 of 2 decided; open: web[0] abort 400",
    ]


def test_a_phase_without_a_name_is_not_named() -> None:
    plain = Plain()
    plain.seconds += PLAIN_EVERY
    plain.view.update(State())
    assert plain.lines == ["0 s, 0 requests, 0/s, 0 of 0 decided"]


def test_a_run_ends_with_its_summary() -> None:
    plain = Plain()
    plain.view.end(RESULT)
    assert plain.lines[-1] == "verified (1 000 requests in 3.0 s)"
    assert plain.lines[0].startswith("web[0]  abort 400   configured 50 %   observed 50.0 % of 1 000")


def test_no_name_can_move_a_cursor_or_make_a_line_of_its_own() -> None:
    plain = Plain()
    plain.seconds += PLAIN_EVERY
    plain.view.begin(HOSTILE, "", Path())
    plain.view.update(replace(STATE, phase=HOSTILE))
    plain.view.end(replace(RESULT, findings=(replace(ABORT, rule_name=HOSTILE),)))
    assert len(plain.lines) == 1 + 1 + 2
    assert all(r"web\x1b[2J\n\u202everified" in line for line in plain.lines[:3])


# ------------------------------------------------------------------------------------------------ the live table


class Live:
    """A live view on a terminal of a hundred and sixty columns, without colours."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.console = Console(file=self.stream, width=160, color_system=None, force_terminal=True)
        self.view = LiveView(self.console)

    def table(self, state: State) -> list[str]:
        with self.console.capture() as captured:
            self.console.print(self.view._table(state))
        return captured.get().splitlines()


def test_a_row_has_the_interval_on_a_line_and_dots_until_there_is_a_verdict() -> None:
    header, open_row, row, foot = Live().table(STATE)
    assert header.split() == ["claim", "configured", "observed", "verdict"]
    assert open_row.split("  ")[:2] == ["web[0]", "abort 400"]
    assert "50 %" in row and "50.0 % of 1 000  46.0 .. 54.0" in row and bar(ABORT) in row
    assert (open_row.split()[-1], row.split()[-1]) == ("...", "verified")
    assert foot == "fault   12.4 s   14 000 requests   1 234/s   20 users   about 8 s left"


def test_nobody_says_how_long_it_takes_when_nobody_knows() -> None:
    assert Live().table(replace(STATE, phase="", left=None))[-1] == "12.4 s   14 000 requests   1 234/s   20 users"


def test_a_table_has_at_most_thirty_rows() -> None:
    assert len(Live().table(replace(STATE, findings=(ABORT,) * 99))) == 1 + 30 + 1


def test_a_name_is_text_and_never_markup() -> None:
    live = Live()
    live.view.begin("[red]case", "[bold]", Path())
    live.view.event("warning", "[green]verified")
    rows = live.table(replace(STATE, findings=(replace(ABORT, rule_name="[bold]web" + HOSTILE),)))
    live.view.end(replace(RESULT, outcome="[red]verified"))
    shown = live.stream.getvalue()
    assert "[red]case  [bold]" in shown and "[green]verified" in shown and "[red]verified (1 000" in shown
    assert r"[bold]webweb\x1b[2J\n\u202everified" in "".join(rows)
    assert "\x1b[2J" not in shown


def test_the_table_is_gone_when_the_summary_is_printed() -> None:
    live = Live()
    live.view.update(STATE)  # before the beginning there is none
    live.view.begin("case", "", Path())
    live.view.update(STATE)
    live.view.end(RESULT)
    assert live.view._live is not None and not live.view._live.is_started
    assert live.stream.getvalue().splitlines()[-1] == "verified (1 000 requests in 3.0 s)"


BARS: list[tuple[dict[str, Any], str]] = [
    ({"interval": (0.49, 0.51)}, "······|━●━|······"),
    ({"interval": (0.46, 0.54)}, "····━━━━●━━━━····"),
    ({"interval": (0.0, 1.0)}, "━━━━━━━━●━━━━━━━━"),
    ({"interval": (0.5, 0.5), "estimate": None}, "······|·━·|······"),
    ({"interval": (0.5, None), "estimate": None}, "······|·━━━━━━━━━"),
    ({"interval": (None, 0.5), "estimate": None}, "━━━━━━━━━·|······"),
    ({"interval": (0.9, 0.95), "estimate": 0.92}, "······|···|·····●"),
    ({"interval": None}, ""),
    ({"configured": None}, ""),
    ({"tolerance": None}, ""),
    ({"tolerance": 0.0}, ""),
]


@pytest.mark.parametrize(("change", "drawn"), BARS)
def test_the_interval_is_drawn_around_the_target(change: dict[str, Any], drawn: str) -> None:
    """Four tolerances to either side; what is beyond stands at the edge."""
    assert bar(replace(ABORT, **change), width=17) == drawn


def test_a_terminal_gets_the_table_and_everything_else_lines() -> None:
    assert isinstance(view_for(io.StringIO()), PlainView)
    leader, follower = os.openpty()
    with os.fdopen(leader), os.fdopen(follower, "w") as terminal:
        assert isinstance(view_for(terminal), LiveView)


def test_a_view_may_say_nothing_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    view = View()
    view.begin("case", "", Path())
    view.event("error", "a child died")
    view.update(STATE)
    view.end(RESULT)
    assert capsys.readouterr() == ("", "")
