"""JUnit XML of tests of routing: one suite, a test case for each test, a file's tests under its name.

A test that fails is a `failure` whose text is what the terminal shows. The suite's properties have the coverage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from junitparser import Failure, TestCase, TestSuite

from chaos.report.pages.data import write
from chaos.report.pages.junit import clean, document_of, with_text
from chaos.route_tests.coverage import Coverage
from chaos.route_tests.judge import Outcome
from chaos.route_tests.text import below, coverage_lines, failure_lines


def write_junit(path: Path, outcomes: Sequence[Outcome], coverage: Coverage, wanted: float | None) -> None:
    """Write the document in one step. `wanted` is the least percentage of match entries to reach, None for any. Raises
    OSError if it cannot be written."""
    write(path, junit(outcomes, coverage, wanted))


def junit(outcomes: Sequence[Outcome], coverage: Coverage, wanted: float | None = None) -> bytes:
    """Return the document as UTF-8; with a case for the coverage if one is wanted."""
    suite = TestSuite("chaos test")
    suite.add_property("match entries", str(coverage.total))
    suite.add_property("match entries reached", str(coverage.reached))
    for outcome in outcomes:
        suite.add_testcase(_case(outcome))
    if wanted is not None:
        suite.add_testcase(_coverage_case(coverage, wanted))
    return document_of([suite])


def _case(outcome: Outcome) -> TestCase:
    case = TestCase(clean(outcome.case.name), classname=clean(outcome.case.location.file))
    if not outcome.passed:
        text = clean("\n".join([str(outcome.case.location), *failure_lines(outcome)]))
        case.result = [with_text(Failure(clean("; ".join(map(str, outcome.differences))), "failed"), text)]
    return case


def _coverage_case(coverage: Coverage, wanted: float) -> TestCase:
    case = TestCase("match entries reached", classname="coverage")
    if coverage.percent < wanted:
        text = clean("\n".join(coverage_lines(coverage, all_of_them=True)))
        case.result = [with_text(Failure(below(wanted), "coverage"), text)]
    return case
