"""The table of expectations: what was drawn, and when hypotheses hold (chaos/report/tables/findings.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.journals import PHASED_DELAY, WHERE, write

from chaos.claims.finding import Finding, Tally
from chaos.formatting import NONE, THIN
from chaos.journal.result import Result
from chaos.report.data.journal import read_run
from chaos.report.pages.junit import facts
from chaos.report.tables.drawn import drawn
from chaos.report.tables.findings import sections
from chaos.verify.verdict import Verdict

RULE = "virtualservice/default/webserver/0"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return read_run(write(tmp_path_factory.mktemp("runs") / "delayed", PHASED_DELAY))


def added_delay(phase: str) -> Finding:
    """A claim about a time, of which the gateway counts a share of requests."""
    return Finding(
        "x#added-delay",
        "added-delay",
        "added delay 200ms",
        Verdict.VERIFIED,
        rule=RULE,
        where=WHERE,
        phase=phase,
        unit="seconds",
        configured=0.2,
        tolerance=0.01,
        drawn=Tally(300, 1000),
    )


def hypothesis(phase: str) -> Finding:
    return Finding(phase, "hypothesis", f"{phase}: failures < 1%", Verdict.VERIFIED, phase=phase, configured=0.01)


def test_what_was_drawn_of_a_delay_is_how_long_it_was(result: Result) -> None:
    value, of = drawn(added_delay("fault"), result.counters)
    assert (value, of) == (f"200{THIN}ms", f"for 300 of 1{THIN}000")


def test_without_counters_no_length_is_made_up(result: Result) -> None:
    assert drawn(added_delay("fault"), None) == (NONE, "")
    assert drawn(added_delay("baseline"), result.counters) == (NONE, ""), "nothing was delayed in this phase"


def test_junit_tells_no_share_as_a_delay() -> None:
    assert f"drawn for 300 of 1{THIN}000" in facts(added_delay("fault"))


@pytest.mark.parametrize(
    ("phases", "when"),
    [(("fault",), "keep to while faults are on."), (("baseline", "fault"), "keep to, each in its phase.")],
)
def test_faults_are_said_to_be_on_only_where_they_were(result: Result, phases: tuple[str, ...], when: str) -> None:
    """A claim about the time before the faults is no claim about the faults."""
    (section,) = sections(replace(result, findings=tuple(hypothesis(phase) for phase in phases)))
    assert section.intro.endswith(when)
