"""What build servers make of a run (chaos/report/pages/junit.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml, TestSuite
from support.journals import Scenario, write

from chaos.report.pages.render import render

CASES = [
    (Scenario(requests=40_000, seconds=8), 0, 0),
    (Scenario(requests=40_000, seconds=8, real_abort=0.4), 1, 0),
    (Scenario(requests=400, seconds=4), 0, 1),
    (Scenario(requests=40_000, seconds=8, ended=False), 0, 1),
]


@pytest.mark.parametrize(
    ("scenario", "failures", "errors"), CASES, ids=["verified", "falsified", "inconclusive", "unfinished"]
)
def test_counts_tell_what_a_run_came_to(tmp_path: Path, scenario: Scenario, failures: int, errors: int) -> None:
    """Falsified is a failure; undecided, untested and cut short are errors, never a pass."""
    suite = suite_of(tmp_path, scenario)
    assert (suite.tests, suite.failures, suite.errors) == (2, failures, errors)


def test_a_failure_carries_its_sentence_and_its_numbers(tmp_path: Path) -> None:
    """What a build server shows is enough to know what is wrong."""
    suite = suite_of(tmp_path, Scenario(requests=40_000, seconds=8, real_abort=0.4))
    case = next(iter(suite))
    (failure,) = case.result
    assert isinstance(failure, Failure) and failure.type == "falsified"
    assert "configured 50" in failure.text and "interval" in failure.text


def test_a_run_that_did_not_end_is_an_error_of_its_own_case(tmp_path: Path) -> None:
    """Even when all that was judged so far is verified."""
    suite = suite_of(tmp_path, Scenario(requests=40_000, seconds=8, ended=False))
    last = list(suite)[-1]
    assert last.name == "the run itself" and isinstance(last.result[0], Error)


def suite_of(tmp_path: Path, scenario: Scenario) -> TestSuite:
    paths = render(write(tmp_path / "abort50" / "1", scenario))
    return next(iter(JUnitXml.fromfile(str(paths.junit))))
