"""What is said at the end of a run: numbers as people read them, a line for each claim, and where the report is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chaos.claims.finding import Finding, Tally
from chaos.errors import ExitCode
from chaos.runner.terminal.result import RunResult
from chaos.runner.terminal.summary import (
    estimate_of,
    interval_of,
    quantity,
    summary_lines,
    table_of_runs,
    target_of,
)
from chaos.verify.verdict import Verdict

ABORT = Finding(
    id="1",
    kind="abort",
    title="abort 400",
    verdict=Verdict.VERIFIED,
    rule_name="web[0]",
    configured=0.5,
    tolerance=0.02,
    drawn=Tally(7014, 14000),
    observed=Tally(7014, 14000),
    estimate=7014 / 14000,
    interval=(0.482, 0.519),
)
RESULT = RunResult("case", "case.yaml", "verified", ExitCode.VERIFIED, (), (ABORT,), None, 14000, 3.25)


# ------------------------------------------------------------------------------------------------ numbers


QUANTITIES: list[tuple[dict[str, Any], float | None, str]] = [
    ({}, 0.5, "50.0 %"),
    ({}, None, "-"),
    ({"unit": "seconds"}, 0.25, "250ms"),
    ({"unit": "ratio", "interval": None}, 1.23456, "1.235 ×"),
    ({"unit": "count"}, 12.0, "12"),
]


@pytest.mark.parametrize(("change", "value", "text"), QUANTITIES)
def test_a_number_is_told_in_the_unit_of_its_claim(change: dict[str, Any], value: float | None, text: str) -> None:
    assert quantity(replace(ABORT, **change), value) == text


@pytest.mark.parametrize(("sense", "text"), [("within", "50 %"), ("below", "< 50 %"), ("above", "> 50 %")])
def test_a_target_says_on_which_side_the_claim_lies(sense: Any, text: str) -> None:
    assert target_of(replace(ABORT, sense=sense)) == text


ESTIMATES: list[tuple[dict[str, Any], str]] = [
    ({}, "50.1 % of 14 000"),
    ({"observed": None, "drawn": Tally(5, 10), "estimate": 0.5}, "50.0 % of 10"),
    ({"observed": Tally(1, 4), "estimate": 0.25}, "25.0 % of 4"),
    ({"observed": None, "drawn": None}, "50.1 %"),
    ({"estimate": None}, "-"),
]


@pytest.mark.parametrize(("change", "text"), ESTIMATES)
def test_an_estimate_comes_with_the_number_of_requests_behind_it(change: dict[str, Any], text: str) -> None:
    """Those that users saw; those that the gateway drew, when no user could see them."""
    assert estimate_of(replace(ABORT, **change)) == text


INTERVALS = [
    (None, ""),
    ((0.482, 0.519), "48.2 .. 51.9"),
    ((None, 0.519), "at most 51.9"),
    ((0.482, None), "at least 48.2"),
    ((None, None), ""),
]


@pytest.mark.parametrize(("interval", "text"), INTERVALS)
def test_an_interval_may_be_open_on_a_side(interval: Any, text: str) -> None:
    assert interval_of(replace(ABORT, interval=interval)) == text


# ------------------------------------------------------------------------------------------------ one run


def lines(*findings: Finding, **changes: Any) -> list[str]:
    return list(summary_lines(replace(RESULT, findings=findings, **changes)))


def test_a_claim_is_one_line_with_its_evidence() -> None:
    assert lines(ABORT) == [
        "web[0]  abort 400   configured 50 %   drawn 50.1 %   observed 50.1 % of 14 000   "
        "99 % interval 48.2 .. 51.9   verified",
        "verified (14 000 requests in 3.2 s)",
    ]


def test_claims_are_aligned_and_a_column_that_nobody_needs_is_left_out() -> None:
    hypothesis = Finding("2", "hypothesis", "failures < 5%", Verdict.INCONCLUSIVE, estimate=0.25, confidence=0.95)
    first, second, _ = lines(replace(ABORT, interval=None, drawn=None), hypothesis)
    assert first == "web[0]  abort 400   configured 50 %   observed 50.1 % of 14 000   verified"
    assert second == "failures < 5%                         observed 25.0 %             inconclusive"


ABOUT: list[tuple[dict[str, Any], str]] = [
    ({}, "web[0]  abort 400"),
    ({"phase": "fault"}, "fault web[0]  abort 400"),
    ({"rule_name": "", "task": "home"}, "home  abort 400"),
    ({"rule_name": ""}, "abort 400"),
    ({"phase": "fault", "title": "fault: p99 < 1s"}, "web[0]  fault: p99 < 1s"),  # it says the phase itself
    ({"phase": "fault", "title": "faults: x"}, "fault web[0]  faults: x"),
]


@pytest.mark.parametrize(("change", "about"), ABOUT)
def test_a_claim_says_phase_and_rule_or_task_once(change: dict[str, Any], about: str) -> None:
    assert lines(replace(ABORT, **change))[0].startswith(f"{about}   configured")


def test_what_only_the_gateway_could_count_is_told_as_drawn() -> None:
    """Clients do not see who gets a copy; nor what an application's calls met."""
    mirror = replace(ABORT, kind="mirror", title="mirrored to copy", observed=None, interval=None)
    assert lines(mirror)[0] == "web[0]  mirrored to copy   configured 50 %   drawn 50.1 % of 14 000   verified"
    seen = replace(ABORT, interval=None)
    assert lines(seen)[0].endswith("drawn 50.1 %   observed 50.1 % of 14 000   verified")


def test_the_confidence_is_that_of_the_run() -> None:
    assert "   95 % interval 48.2 .. 51.9   " in lines(replace(ABORT, confidence=0.95))[0]
    assert "   99.9 % interval 48.2 .. 51.9   " in lines(replace(ABORT, confidence=0.999))[0]


def test_reasons_stand_between_the_claims_and_the_outcome() -> None:
    found = lines(ABORT, outcome="falsified", reasons=("one.", "two."), requests=0)
    assert found[1:] == ["one.", "two.", "falsified (no requests)"]


def test_the_last_line_is_the_report_or_the_journal_that_would_make_one(tmp_path: Path) -> None:
    assert lines(ABORT, folder=tmp_path)[-1] == f"journal: {tmp_path / 'journal.jsonl'}"
    (tmp_path / "report.html").touch()
    assert lines(ABORT, folder=tmp_path)[-1] == f"report: {tmp_path / 'report.html'}"


# ------------------------------------------------------------------------------------------------ several runs


def test_several_runs_are_a_line_each() -> None:
    other = replace(
        RESULT,
        name="other-case",
        outcome="inconclusive",
        exit_code=ExitCode.INCONCLUSIVE,
        findings=(ABORT, replace(ABORT, verdict=Verdict.INCONCLUSIVE), replace(ABORT, verdict=Verdict.FALSIFIED)),
        seconds=123.45,
    )
    failed = RunResult("x", "x.yaml", "failed", ExitCode.ENVIRONMENT, ("a child died",))
    assert list(table_of_runs([RESULT, other, failed])) == [
        "",
        "case         verified          3.2 s   1 of 1 claims decided",
        "other-case   inconclusive    123.5 s   2 of 3 claims decided   exit 3",
        "x            failed            0.0 s      exit 5",
    ]


def test_where_to_look_stands_before_the_report() -> None:
    told = list(summary_lines(replace(RESULT, look="3 requests failed without a fault", folder=Path("r"))))
    assert told[-3:] == [
        "verified (14 000 requests in 3.2 s)",
        "3 requests failed without a fault",
        "journal: r/journal.jsonl",
    ]
