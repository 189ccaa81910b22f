"""How a run ends: the outcome and exit code that its findings make, and the worst of several."""

from __future__ import annotations

from itertools import permutations

import pytest

from chaos.claims.finding import Finding
from chaos.errors import ExitCode
from chaos.runner.terminal.result import outcome_of, worst_code
from chaos.verify.verdict import Verdict

V, F, U, N = Verdict.VERIFIED, Verdict.FALSIFIED, Verdict.INCONCLUSIVE, Verdict.NO_TRAFFIC

OUTCOMES = [
    ((), "no-traffic", 6),
    ((V,), "verified", 0),
    ((V, V), "verified", 0),
    ((F,), "falsified", 1),
    ((U,), "inconclusive", 3),
    ((N,), "no-traffic", 6),
    ((V, U), "inconclusive", 3),
    ((V, N), "no-traffic", 6),
    ((V, F), "falsified", 1),
    ((U, N), "no-traffic", 6),
    ((U, F), "falsified", 1),
    ((N, F), "falsified", 1),
    ((V, U, N, F), "falsified", 1),
]


@pytest.mark.parametrize(("verdicts", "outcome", "code"), OUTCOMES)
def test_a_run_is_as_good_as_its_worst_finding_in_any_order(
    verdicts: tuple[Verdict, ...], outcome: str, code: int
) -> None:
    for order in permutations(verdicts):
        found = outcome_of([Finding(str(n), "abort", "abort 503", verdict) for n, verdict in enumerate(order)])
        assert found[:2] == (outcome, code)


def test_the_reasons_are_the_sentences_of_the_findings_that_make_the_outcome() -> None:
    findings = [
        Finding("1", "abort", "abort 503", F, sentence="45 % of 900."),
        Finding("2", "abort", "abort 418", U, sentence="Too few."),
        Finding("3", "delay", "delay 1s", F, rule_name="web[0]"),
        Finding("4", "no-route", "no route 404", F, task="home"),
        Finding("5", "hypothesis", "failures < 5%", F),
    ]
    assert outcome_of(findings)[2] == (
        "45 % of 900.",
        "web[0]: delay 1s: falsified",
        "home: no route 404: falsified",
        "failures < 5%: falsified",
    )


def test_what_is_verified_needs_no_reason() -> None:
    assert outcome_of([Finding("1", "abort", "abort 503", V, sentence="50 % of 900.")])[2] == ()


def test_of_several_runs_the_environment_comes_first_and_success_last() -> None:
    """What else a run says is not worth much when its processes died."""
    order = [130, 2, 5, 1, 4, 6, 3, 0]
    assert sorted(order) == sorted(ExitCode), "every exit code has its place"
    for place, code in enumerate(order):
        assert worst_code(ExitCode(each) for each in reversed(order[place:])) == code
    assert worst_code([]) is ExitCode.VERIFIED


class TestBaseline:
    """What the rules alone claim of a phase without faults is no question that the user asked."""

    FAULT = Finding("1", "abort", "abort 503", V, phase="fault")
    OPEN = Finding("2", "route", "to web", U, phase="baseline", sentence="Too few.")

    def test_left_open_it_is_a_note_of_an_answered_run(self) -> None:
        outcome, code, reasons = outcome_of([self.FAULT, self.OPEN], {"baseline"})
        assert (outcome, code) == ("verified", 0)
        assert reasons == ("Left open, and no part of the outcome: Too few.",)

    def test_a_hypothesis_about_it_was_asked(self) -> None:
        asked = Finding("3", "hypothesis", "baseline: failures < 1%", U, phase="baseline")
        assert outcome_of([self.FAULT, asked], {"baseline"})[0] == "inconclusive"

    def test_without_an_answer_to_anything_else_the_run_is_open(self) -> None:
        open_fault = Finding("1", "abort", "abort 503", U, phase="fault")
        responses = Finding("4", "lost", "without a response", V, phase="fault")
        assert outcome_of([self.OPEN], {"baseline"})[0] == "inconclusive"
        assert outcome_of([self.OPEN, responses], {"baseline"})[0] == "inconclusive"
        assert outcome_of([self.OPEN, open_fault], {"baseline"})[0] == "inconclusive"

    def test_refuted_it_falsifies(self) -> None:
        refuted = Finding("2", "abort", "no abort", F, phase="baseline")
        assert outcome_of([self.FAULT, refuted], {"baseline"})[0] == "falsified"

    def test_in_a_phase_with_faults_it_leaves_the_run_open(self) -> None:
        assert outcome_of([self.FAULT, self.OPEN], ())[0] == "inconclusive"
