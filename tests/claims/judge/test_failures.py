"""Requests that fail by themselves, and responses that never come: seeded gateways on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.faults import aborting, delaying
from support.simulated_gateway import SimulatedGateway

from chaos.claims.effects import Effect, PhaseEffects, Retries
from chaos.claims.expectations import expectations
from chaos.claims.finding import Finding
from chaos.claims.hypotheses.coverage import judge_failures, judge_lost
from chaos.claims.hypotheses.expression import Names, parse_expression
from chaos.claims.judge.forecast import plan_lines
from chaos.claims.judge.judge import Judge, divide
from chaos.claims.upstream_errors import upstream_errors
from chaos.verify.verdict import Verdict

V, F, U = Verdict.VERIFIED, Verdict.FALSIFIED, Verdict.INCONCLUSIVE

WEB = Effect("virtualservice/default/web/0", "web[0]", "web.yaml:9:5", ("GET /",), destinations=(("web:80", 1.0),))
ABORT = replace(WEB, faults=(aborting(0.5, 400),))
DELAY = replace(WEB, faults=(delaying(0.5, 5.0),))
RARE = replace(WEB, key="virtualservice/default/web/1", name="web[1]", tasks=("GET /rare",))


def phase(*effects: Effect, **fields: Any) -> PhaseEffects:
    return PhaseEffects("", effects, **{"own_failures": True, "lost": True, **fields})


def judged(effects: PhaseEffects, gateway: SimulatedGateway, seconds: int = 20, rate: int = 1000) -> dict[str, Finding]:
    """The findings by kind when the run is over, judged every second on the way."""
    judge = Judge(expectations([effects], tagged=gateway.tagged))
    findings: Sequence[Finding] = []
    for digest in gateway.seconds(seconds, rate):
        judge.observe(digest)
        findings = judge.findings(gateway.counters if gateway.tagged else None)
    return {finding.kind: finding for finding in findings}


def test_a_right_gateway_loses_nothing_and_what_it_forwards_does_not_fail() -> None:
    found = judged(phase(ABORT), SimulatedGateway(abort=lambda _: 0.5))
    assert {finding.verdict for finding in found.values()} == {V}
    assert found["lost"].sentence == "None of 20\u202f000 requests was left without a response."
    assert found["failures"].sentence.endswith("forwarded requests failed by itself.")
    assert [each.title for each in found.values()][:2] == ["without a response", "failing by themselves"]


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("UH", "no healthy upstream (UH)"),
        ("UF", "connection refused or failed (UF)"),
        ("UC", "connection ended before the response (UC)"),
        ("UT", "no response in time (UT)"),
        ("NEW", "NEW"),
    ],
)
def test_what_nothing_is_behind_is_falsified_though_its_aborts_are_right(flag: str, says: str) -> None:
    found = judged(phase(ABORT), SimulatedGateway(abort=lambda _: 0.5, broken=1.0, flag=flag), 10)
    failures = found["failures"]
    assert (failures.verdict, failures.cause, failures.where) == (F, "upstream", "web.yaml:9:5")
    assert failures.drawn is not None and failures.drawn.share == 1.0
    assert failures.sentence.endswith(f"forwarded requests failed by themselves: {says}.")
    assert found["abort"].verdict is found["route"].verdict is found["lost"].verdict is V


@pytest.mark.parametrize(("broken", "verdict"), [(0.002, V), (0.03, F)])
def test_a_few_in_a_thousand_fail_in_every_system_and_a_few_in_a_hundred_do_not(
    broken: float, verdict: Verdict
) -> None:
    assert judged(phase(WEB), SimulatedGateway(broken=broken, seed=7))["failures"].verdict is verdict


def test_however_few_requests_are_forwarded_half_of_them_must_not_fail() -> None:
    rare = replace(WEB, faults=(aborting(0.99, 400),))
    broken = judged(phase(rare), SimulatedGateway(abort=lambda _: 0.99, broken=1.0))["failures"]
    assert (broken.verdict, broken.configured) == (F, 0.5)
    assert judged(phase(rare), SimulatedGateway(abort=lambda _: 0.99))["failures"].verdict is V


def test_a_rule_that_fails_is_found_beside_one_with_a_thousand_times_the_traffic() -> None:
    much, little = SimulatedGateway(), SimulatedGateway(rule=RARE.key, name="web[1]", task="GET /rare", broken=1.0)
    judge = Judge(expectations([phase(WEB, RARE)]))
    for second in range(20):
        judge.observe(much.second(second, 2000))
    judge.observe(little.second(0, 40))
    counters = {"phases": {"": {WEB.key: much.counts, RARE.key: little.counts}}, "unmatched": 0}
    failures = next(each for each in judge.findings(counters) if each.kind == "failures")  # type: ignore[arg-type]
    assert (failures.verdict, failures.rule_name) == (F, "web[1]")
    assert failures.sentence.startswith("40 of 40 forwarded requests failed by themselves")


@pytest.mark.slow
def test_a_timeout_is_explained_by_a_delay_of_the_phase_and_by_nothing_else() -> None:
    def findings(effect: Effect, **fields: Any) -> Finding:
        return judged(phase(effect, **fields), SimulatedGateway(delay=lambda _: 0.5, broken=0.3, flag="UT"))["failures"]

    assert findings(DELAY).verdict is V
    assert findings(DELAY, faults=False).verdict is F
    assert findings(WEB).verdict is F


def test_when_a_delay_explains_every_failure_there_is_nothing_to_judge() -> None:
    found = judged(phase(DELAY), SimulatedGateway(delay=lambda _: 0.5, broken=1.0, flag="UT"))["failures"]
    assert found.verdict is Verdict.NOT_JUDGED and "as delays, timeouts and circuit breakers" in found.sentence


def test_an_upstream_that_no_client_waits_for_is_not_verified() -> None:
    found = judged(phase(WEB), SimulatedGateway(patience=0.0), 2)
    assert found["failures"].verdict is found["lost"].verdict is U
    assert "before its client left" in found["failures"].sentence
    assert "given up by their clients" in found["lost"].sentence


def test_a_rule_that_aborts_everything_forwards_nothing_to_judge() -> None:
    everything = replace(ABORT, faults=(aborting(1.0, 400),))
    found = judged(phase(everything), SimulatedGateway(abort=lambda _: 1.0))
    assert set(found) == {"lost", "route", "abort"}
    assert (found["route"].title, found["route"].verdict) == ("takes web[0]", V)
    assert "to web" not in found["route"].sentence


def test_the_destination_is_claimed_of_what_is_not_aborted() -> None:
    route = judged(phase(ABORT), SimulatedGateway(abort=lambda _: 0.5))["route"]
    assert route.title == "to web unless aborted" and route.sentence.endswith("were not aborted, and went to web.")
    astray = judged(phase(ABORT), SimulatedGateway(abort=lambda _: 0.5, destinations={"other:80": 1.0}), 1)["route"]
    assert astray.verdict is F and "went to other" in astray.sentence


def test_failing_tries_that_retries_hide_are_no_failures() -> None:
    retried = replace(WEB, retries=Retries(3, lambda status: status >= 500))
    found = judged(phase(retried), SimulatedGateway(failing=0.25, attempts=3))
    assert found["failures"].verdict is found["lost"].verdict is V


@pytest.mark.parametrize("tagged", [True, False])
def test_a_third_of_the_responses_lost_is_falsified_through_any_gateway(tagged: bool) -> None:
    found = judged(phase(ABORT), SimulatedGateway(abort=lambda _: 0.5, losing=1 / 3, tagged=tagged), 3)
    lost = found["lost"]
    assert (lost.verdict, lost.cause) == (F, "lost") and lost.sentence.endswith("had no response: connection reset.")


@pytest.mark.parametrize(("losing", "verdict"), [(0.0001, V), (0.004, F)])
def test_a_reset_in_ten_thousand_falsifies_nothing(losing: float, verdict: Verdict) -> None:
    found = judged(phase(WEB), SimulatedGateway(losing=losing, seed=3), 40)["lost"]
    assert found.verdict is verdict and found.observed is not None and found.observed.k > 0


def test_clients_that_lose_patience_during_a_delay_lose_no_response() -> None:
    found = judged(phase(replace(DELAY, patience=0.3)), SimulatedGateway(delay=lambda _: 0.5, patience=0.3))
    assert found["lost"].verdict is found["failures"].verdict is V
    assert found["lost"].observed is not None and 9_000 < found["lost"].observed.n < 11_000


@pytest.mark.slow
def test_a_right_gateway_is_wrongly_falsified_by_neither() -> None:
    """At the edge of what is forgiven, judged every second: at most alpha of such runs are wrong."""
    wrong = 0
    for seed in range(60):
        found = judged(phase(WEB), SimulatedGateway(broken=0.01, losing=0.001, seed=seed), 10, 400)
        wrong += F in (found["failures"].verdict, found["lost"].verdict)
    assert wrong <= 2


@pytest.mark.parametrize(
    ("text", "failures", "lost"),
    [
        ("failures < 5%", True, True),
        ("fault: failures < 5%", True, True),
        ("recovery: failures < 5%", False, False),
        ("successes > 95%", True, True),
        ("errors < 1%", False, True),
        ("status(503) < 1%", True, False),
        ("status(5xx) < 1%", True, False),
        ("status(404) < 1%", False, False),
        ("p99 < 200ms", False, False),
        ("aborted < 60%", False, False),
        ("fault: failures < 2 * recovery.failures", True, True),
    ],
)
def test_a_hypothesis_about_failures_is_the_users_own_judgement(text: str, failures: bool, lost: bool) -> None:
    hypothesis = parse_expression(text, Names(phases=("fault", "recovery")))
    assert (judge_failures([hypothesis], "fault"), judge_lost([hypothesis], "fault")) == (failures, lost)


def test_both_take_no_longer_than_what_is_claimed_already_and_little_of_its_alpha() -> None:
    def needed(effects: PhaseEffects) -> dict[str, int]:
        lines = plan_lines([effects], expectations([effects]), {"GET /": 1})
        return {line.expectation.kind: line.nine_in_ten or 0 for line in lines}

    before, after = needed(phase(ABORT, own_failures=False, lost=False)), needed(phase(ABORT))
    assert max(after.values()) < 1.06 * max(before.values())
    assert after["failures"] < after["lost"] <= after["route"]
    made = expectations([phase(ABORT)])
    assert dict(zip((each.kind for each in made), divide(0.99, made), strict=True))["abort"] == pytest.approx(0.04 / 7)


def told(effect: Effect, gateway: SimulatedGateway, **fields: Any) -> list[str]:
    judge = Judge(expectations([phase(effect, **fields)], tagged=gateway.tagged))
    for digest in gateway.seconds(1, 1000):
        judge.observe(digest)
    return list(
        upstream_errors([phase(effect, **fields)], judge.observed, gateway.counters if gateway.tagged else None)
    )  # type: ignore[arg-type]


def test_an_upstream_that_says_itself_that_it_fails_is_told_of_and_not_judged() -> None:
    gateway = SimulatedGateway(abort=lambda _: 0.5, failing=0.25)
    (sentence,) = told(ABORT, gateway)
    assert sentence.startswith("upstream itself answered 1") and "with 500; that may be meant" in sentence
    assert judged(phase(ABORT), SimulatedGateway(abort=lambda _: 0.5, failing=0.25))["failures"].verdict is V
    assert told(ABORT, SimulatedGateway(broken=0.3)) == [], "these have a claim of their own"
    assert told(ABORT, SimulatedGateway(failing=0.001)) == []
    assert told(ABORT, SimulatedGateway(failing=0.25), own_failures=False) == []
    assert told(replace(WEB, retries=Retries(1, lambda status: status >= 500)), SimulatedGateway(failing=0.5)) == []
    (sentence,) = told(ABORT, SimulatedGateway(abort=lambda _: 0.5, failing=0.25, tagged=False))
    assert sentence.startswith("upstream or the gateway answered")
