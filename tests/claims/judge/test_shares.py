"""Truthful: right gateways are verified, wrong ones falsified with the cause named, too little traffic leaves it
open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.faults import aborting, delaying
from support.simulated_gateway import SimulatedGateway

from chaos.claims.effects import Effect, PhaseEffects, Retries
from chaos.claims.expectations import expectations
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import Left
from chaos.claims.hypotheses.expression import parse_expression
from chaos.claims.hypotheses.judging import Hypotheses
from chaos.claims.judge.judge import Judge, divide
from chaos.claims.judge.run_judge import RunJudge
from chaos.claims.shares.lost import with_lost
from chaos.verify.verdict import Verdict

V, F, U, NONE = Verdict.VERIFIED, Verdict.FALSIFIED, Verdict.INCONCLUSIVE, Verdict.NO_TRAFFIC

WEB = Effect("virtualservice/default/web/0", "web[0]", "web.yaml:9:5", ("GET /",), destinations=(("web:80", 1.0),))
ABORT = replace(WEB, faults=(aborting(0.5, 400),))
DELAY = replace(WEB, faults=(delaying(0.5, 5.0),))


def judged(effect: Effect, gateway: SimulatedGateway, seconds: int, rate: int, **options: Any) -> dict[str, Finding]:
    """The findings by kind when the run is over, judged every second on the way."""
    judge = Judge(expectations([PhaseEffects("", (effect,))], tagged=gateway.tagged))
    findings: Sequence[Finding] = []
    for digest in gateway.seconds(seconds, rate):
        judge.observe(digest)
        findings = judge.findings(gateway.counters if gateway.tagged else None, **options)
    return {finding.kind: finding for finding in findings}


def test_half_of_the_requests_aborted_is_verified() -> None:
    found = judged(ABORT, SimulatedGateway(abort=lambda _: 0.5), 20, 1000)
    abort = found["abort"]
    assert (abort.verdict, abort.title, abort.ledgers) == (V, "abort 400", ("configured", "drawn", "observed"))
    assert abort.observed == abort.drawn and abort.observed is not None and abort.observed.n == 20_000
    assert abort.where == "web.yaml:9:5" and "were aborted with 400" in abort.sentence
    low, high = abort.interval or (0, 0)
    assert low is not None and high is not None and 0.48 <= low < 0.5 < high <= 0.52
    assert found["route"].verdict is V and found["route"].title == "to web unless aborted"


def test_45_percent_for_50_is_falsified_and_the_dice_are_named() -> None:
    abort = judged(ABORT, SimulatedGateway(abort=lambda _: 0.45), 20, 1000)["abort"]
    assert (abort.verdict, abort.cause) == (F, "dice")
    assert "the gateway itself drew" in abort.sentence and "dice are off" in abort.sentence


def test_too_few_requests_leave_it_open_and_say_how_many_would_tell() -> None:
    abort = judged(ABORT, SimulatedGateway(abort=lambda _: 0.5), 1, 200)["abort"]
    assert abort.verdict is U and abort.needed is not None and 1_000 < abort.needed < 20_000
    assert "more requests would tell" in abort.sentence


def test_no_request_is_never_a_success() -> None:
    judge = Judge(expectations([PhaseEffects("", (ABORT,))]))
    assert {finding.verdict for finding in judge.findings({"phases": {}})} == {NONE}
    assert {finding.verdict for finding in judge.findings(None)} == {NONE}


def test_aborts_that_something_hides_are_told_from_dice_that_are_off() -> None:
    abort = judged(ABORT, SimulatedGateway(abort=lambda _: 0.5, hide=0.2), 20, 1000)["abort"]
    assert (abort.verdict, abort.cause) == (F, "hidden") and "on the way to the clients hid it" in abort.sentence


def test_a_count_that_is_off_is_told_too() -> None:
    gateway = SimulatedGateway(abort=lambda _: 0.5)
    judge = Judge(expectations([PhaseEffects("", (ABORT,))]))
    for digest in gateway.seconds(20, 1000):
        judge.observe(digest)
    gateway.counts["faults"]["abort"] //= 2
    abort = next(finding for finding in judge.findings(gateway.counters) if finding.kind == "abort")
    assert (abort.verdict, abort.cause) == (F, "count") and "one of the two counts is off" in abort.sentence


def test_one_draw_per_connection_is_found_though_the_share_may_be_right() -> None:
    gateway = SimulatedGateway(abort=lambda _: 0.5, per_connection=True)
    gateway.constant[:] = [0.25, 0.75] * 10
    abort = judged(ABORT, gateway, 10, 1000)["abort"]
    assert (abort.verdict, abort.cause) == (F, "per-connection")
    assert "once per connection instead of once per request" in abort.sentence


def test_a_fault_that_is_drawn_twice_is_named() -> None:
    abort = judged(ABORT, SimulatedGateway(abort=lambda _: 0.5, twice=True), 10, 1000)["abort"]
    assert (abort.verdict, abort.cause) == (F, "drawn-twice") and "drawn twice" in abort.sentence


def test_right_on_average_but_stopping_after_a_minute_is_falsified() -> None:
    gateway = SimulatedGateway(abort=lambda second: 0.5 if second < 60 else 0.0)
    abort = judged(ABORT, gateway, 70, 400)["abort"]
    assert (abort.verdict, abort.cause) == (F, "drift") and "claimed of every moment" in abort.sentence


def test_a_verdict_that_was_reached_stays_when_stragglers_come_in() -> None:
    """`until: decided` stops at the first moment; the requests still under way must not undo it."""
    gateway = SimulatedGateway(abort=lambda _: 0.5, seed=3)
    judge = Judge(expectations([PhaseEffects("", (ABORT,))]))
    second, abort = 0, None
    while abort is None or abort.verdict is U:
        judge.observe(gateway.second(second, 500))
        abort = next(finding for finding in judge.findings(gateway.counters) if finding.kind == "abort")
        second += 1
    assert abort.verdict is V
    gateway.abort = lambda _: 0.6
    judge.observe(gateway.second(second, 200))
    later = next(finding for finding in judge.findings(gateway.counters) if finding.kind == "abort")
    assert later.verdict is V and later.needed is None
    assert later.interval is not None and abort.interval is not None and later.interval[1] is not None
    assert later.interval[1] <= (abort.interval[1] or 0)


def test_a_delay_is_judged_by_its_share_and_by_its_length() -> None:
    found = judged(DELAY, SimulatedGateway(delay=lambda _: 0.5), 20, 1000)
    assert found["delay"].verdict is V and found["added-delay"].verdict is V
    assert found["added-delay"].unit == "seconds" and found["added-delay"].estimate == pytest.approx(5.0, abs=0.01)
    assert "longer than" in found["added-delay"].sentence


def test_a_delay_that_is_10_percent_short_is_falsified() -> None:
    found = judged(DELAY, SimulatedGateway(delay=lambda _: 0.5, added=4.5), 20, 1000)
    assert (found["added-delay"].verdict, found["added-delay"].cause) == (F, "delay")
    assert "too short" in found["added-delay"].sentence and "10" in found["added-delay"].sentence


def test_a_delay_that_is_right_in_the_middle_and_not_fixed_is_falsified() -> None:
    found = judged(DELAY, SimulatedGateway(delay=lambda _: 0.5, jitter=2.0), 20, 1000)["added-delay"]
    assert (found.verdict, found.cause) == (F, "delay") and "the delay is not fixed at 5s" in found.sentence


@pytest.mark.parametrize("short", [0.25, 0.1, 0.002])
def test_a_part_of_the_delays_that_is_half_as_long_is_found(short: float) -> None:
    """Neither the median nor the quartiles show it: a delayed response may not come before its delay is over."""
    found = judged(DELAY, SimulatedGateway(delay=lambda _: 0.5, short=short), 10, 1000)["added-delay"]
    assert (found.verdict, found.cause) == (F, "delay")
    assert "came before 4.75s: the delay is not fixed at 5s" in found.sentence


@pytest.mark.slow
def test_a_slow_machine_does_not_fail_a_right_delay() -> None:
    gateway = SimulatedGateway(delay=lambda _: 0.5, added=0.5, slowness=0.3)
    found = judged(replace(DELAY, faults=(delaying(0.5, 0.5),)), gateway, 30, 2000)
    assert found["added-delay"].verdict is V


def test_a_client_short_of_cpu_makes_latencies_prove_nothing() -> None:
    found = judged(DELAY, SimulatedGateway(delay=lambda _: 0.5), 20, 1000, starved="the load process had no CPU left")
    assert (found["added-delay"].verdict, found["added-delay"].cause) == (U, "starved")
    assert "no CPU left" in found["added-delay"].sentence
    assert found["delay"].verdict is V


def test_a_rule_that_delays_everything_is_judged_by_the_whole_latency() -> None:
    found = judged(replace(DELAY, faults=(delaying(1.0, 5.0),)), SimulatedGateway(delay=lambda _: 1.0), 10, 1000)
    assert found["added-delay"].verdict is V and "no undelayed one" in found["added-delay"].sentence


def test_delay_and_abort_together() -> None:
    both = replace(DELAY, faults=(delaying(0.2, 1.0), aborting(0.5, 503)))
    gateway = SimulatedGateway(abort=lambda _: 0.5, delay=lambda _: 0.2, status=503, added=1.0)
    found = judged(both, gateway, 30, 1000)
    assert {finding.verdict for finding in found.values()} == {V}


def test_weights_are_verified_and_swapped_weights_are_not() -> None:
    split = replace(WEB, destinations=(("web:80/v1", 0.8), ("web:80/v2", 0.2)))
    judge = Judge(expectations([PhaseEffects("", (split,))]))
    gateway = SimulatedGateway(destinations={"web:80/v1": 0.8, "web:80/v2": 0.2})
    for digest in gateway.seconds(20, 1000):
        judge.observe(digest)
    findings = judge.findings(gateway.counters)
    assert [finding.title for finding in findings] == ["takes web[0]", "to web/v1", "to web/v2"]
    assert {finding.verdict for finding in findings} == {V}
    swapped = judged(split, SimulatedGateway(destinations={"web:80/v1": 0.2, "web:80/v2": 0.8}), 5, 1000)
    assert swapped["destination"].verdict is F


def test_two_destinations_are_one_claim_and_three_are_three() -> None:
    def alphas(*shares: float) -> list[float]:
        labels = tuple((f"web:80/v{number}", share) for number, share in enumerate(shares))
        made = expectations([PhaseEffects("", (replace(WEB, destinations=labels),))])
        return [alpha for each, alpha in zip(made, divide(0.99, made), strict=True) if each.kind == "destination"]

    assert alphas(0.8, 0.2) == [pytest.approx(0.008)] * 2
    assert alphas(0.5, 0.3, 0.2) == [pytest.approx(0.01 * 4 / 13)] * 3


RETRIES = Retries(3, lambda status: status >= 500)


def test_retries_leave_q_to_the_power_of_their_tries() -> None:
    """Half fails; three retries leave 0.5^4 = 6.25 %."""
    found = judged(replace(WEB, retries=RETRIES), SimulatedGateway(failing=0.5, attempts=3), 10, 1000)
    residual = found["residual"]
    assert residual.verdict is V and residual.configured == pytest.approx(0.0625, rel=0.15)
    assert "4 in a row" in residual.sentence and "followed by the next" in residual.sentence
    low, high = residual.interval or (None, None)
    assert low is not None and high is not None and low <= (residual.estimate or 0.0) <= high


@pytest.mark.slow
@pytest.mark.parametrize(
    ("failing", "made", "seconds", "said"),
    [
        (0.25, 2, 10, "given up with retries left"),
        (0.05, 2, 100, "given up with retries left"),
        (0.25, 5, 20, "were tried more than 4 times"),
    ],
)
def test_another_number_of_retries_is_falsified(failing: float, made: int, seconds: int, said: str) -> None:
    gateway = SimulatedGateway(failing=failing, attempts=made)
    residual = judged(replace(WEB, retries=RETRIES), gateway, seconds, 1000)["residual"]
    assert residual.verdict is F and said in residual.sentence


@pytest.mark.parametrize(("made", "verdict"), [(3, V), (2, F), (5, F)])
def test_retries_behind_an_application_are_judged_by_the_gateways_counts(made: int, verdict: Verdict) -> None:
    gateway = SimulatedGateway(failing=0.5, attempts=made)
    for _ in gateway.seconds(10, 1000):
        pass
    judge = Judge(expectations([PhaseEffects("", (replace(WEB, retries=RETRIES, tasks=None),))]))
    (residual,) = judge.findings(gateway.counters)
    assert (residual.verdict, residual.ledgers) == (verdict, ("configured", "drawn"))


@pytest.mark.parametrize(("failing", "said"), [(0.0, "nothing to retry"), (0.01, "the last of 4 was made for")])
def test_retries_of_an_upstream_that_hardly_fails_are_not_judged(failing: float, said: str) -> None:
    residual = judged(replace(WEB, retries=RETRIES), SimulatedGateway(failing=failing, attempts=3), 15, 1000)[
        "residual"
    ]
    assert residual.verdict is Verdict.NOT_JUDGED and said in residual.sentence


def test_a_rule_behind_an_application_is_judged_by_the_gateways_own_count() -> None:
    """The load talks to the application; the application's calls pass through the gateway."""
    gateway = SimulatedGateway(abort=lambda _: 0.5)
    for _ in gateway.seconds(20, 1000):
        pass
    judge = Judge(expectations([PhaseEffects("", (replace(ABORT, tasks=None),))]))
    (abort,) = judge.findings(gateway.counters)
    assert (abort.verdict, abort.ledgers, abort.observed) == (V, ("configured", "drawn"), None)
    assert "gateway's own count" in abort.sentence


@pytest.mark.slow
def test_a_gateway_without_tags_is_judged_from_outside() -> None:
    """Aborts by status and body, delays by their shift; no drawn ledger."""
    both = replace(ABORT, faults=(delaying(0.3, 0.5), *ABORT.faults))
    gateway = SimulatedGateway(abort=lambda _: 0.5, delay=lambda _: 0.3, added=0.5, tagged=False)
    found = judged(both, gateway, 20, 1000)
    assert {kind: finding.verdict for kind, finding in found.items()} == {
        "route": Verdict.NOT_JUDGED, "abort": V, "delay": V, "added-delay": V,
    }  # fmt: skip
    assert found["abort"].ledgers == ("configured", "observed")
    wrong = judged(ABORT, SimulatedGateway(abort=lambda _: 0.45, tagged=False), 20, 1000)["abort"]
    assert wrong.verdict is F and wrong.drawn is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gateway", "cause"),
    [
        (SimulatedGateway(abort=lambda _: 0.5, twice=True, tagged=False), "drawn-twice"),
        (SimulatedGateway(abort=lambda _: 0.5, per_connection=True, tagged=False), "per-connection"),
        (SimulatedGateway(abort=lambda s: 0.5 if s < 30 else 0.0, tagged=False), "drift"),
        (SimulatedGateway(abort=lambda _: 0.5, delay=lambda _: 0.3, added=0.45, tagged=False), "delay"),
    ],
)
def test_causes_are_named_from_outside_too(gateway: SimulatedGateway, cause: str) -> None:
    both = replace(ABORT, faults=(delaying(0.3, 0.5), *ABORT.faults)) if cause == "delay" else ABORT
    found = judged(both, gateway, 35, 400)
    assert [finding.cause for finding in found.values() if finding.verdict is F] == [cause]


def test_while_faults_are_off_none_may_fire() -> None:
    made = expectations([PhaseEffects("baseline", (ABORT,), faults=False), PhaseEffects("fault", (ABORT,))])
    assert [(each.phase, each.kind, each.share) for each in made] == [
        ("baseline", "route", 1.0),
        ("baseline", "abort", 0.0),
        ("fault", "route", 1.0),
        ("fault", "abort", 0.5),
    ]
    assert len({each.id for each in made}) == 4


@pytest.mark.parametrize(("stray", "verdict"), [(0.0, V), (0.0005, F)])
def test_a_fault_that_fires_all_the_same_is_found(stray: float, verdict: Verdict) -> None:
    judge = Judge(expectations([PhaseEffects("recovery", (ABORT,), faults=False)]))
    gateway = SimulatedGateway(abort=lambda _: stray, phase="recovery", seed=5)
    for digest in gateway.seconds(10, 1000):
        judge.observe(digest)
    assert {f.kind: f.verdict for f in judge.findings(gateway.counters)}["abort"] is verdict


def test_a_redirect_is_expected_of_every_request() -> None:
    redirect = Effect("virtualservice/default/web/0", "web[0]", tasks=("GET /",), reply="redirect", reply_status=301)
    (only,) = expectations([PhaseEffects("", (redirect,))])
    assert (only.kind, only.title, only.share, only.status) == ("redirect", "redirected 301", 1.0, 301)


@pytest.mark.parametrize(
    ("gateway", "says"),
    [
        (SimulatedGateway(destinations={"other:80": 1.0}), "went to other"),
        (SimulatedGateway(name="canary"), "took canary"),
        (SimulatedGateway(name=""), "took no rule and were answered with 200"),
    ],
)
def test_a_request_that_goes_astray_is_told_with_where_it_went(gateway: SimulatedGateway, says: str) -> None:
    route = judged(WEB, gateway, 1, 100)["route"]
    assert (route.verdict, route.cause) == (F, "routing") and f"100 {says}." in route.sentence


def test_a_redirect_that_is_none_is_told_with_what_came_instead() -> None:
    redirect = Effect("virtualservice/default/web/0", "web[0]", tasks=("GET /",), reply="redirect", reply_status=301)
    found = judged(redirect, SimulatedGateway(), 1, 100)["redirect"]
    assert (found.verdict, found.cause) == (F, "routing") and "100 were answered with 200 by web." in found.sentence


def test_alpha_is_divided_among_all_that_is_expected() -> None:
    """What is hard to decide has four times as much as what one request may refute."""
    judge = Judge(expectations([PhaseEffects("", (DELAY,))]), 0.99)
    alphas = {finding.kind: finding.alpha for finding in judge.findings(None)}
    assert sum(alphas.values()) == pytest.approx(0.01) and alphas["delay"] == pytest.approx(4 * alphas["route"])


def test_requests_without_an_answer_are_no_evidence() -> None:
    gateway = SimulatedGateway(abort=lambda _: 0.5)
    judge = Judge(expectations([PhaseEffects("", (ABORT,))]))
    digest = gateway.second(0, 100)
    digest.add(next(iter(digest.tallies))._replace(status=0, route="", fault="", error="timeout"), 10)
    judge.observe(digest)
    assert {finding.observed for finding in judge.findings(None) if finding.kind == "abort"} != {Tally(0, 0)}
    assert next(f.observed.n for f in judge.findings(None) if f.kind == "route" and f.observed) == 100


class TestWhoGivesUp:
    """A request without a response is no evidence; where the gateway saw its client leave, it says what was drawn."""

    def test_a_delay_longer_than_the_clients_wait_is_verified_from_those_who_left(self) -> None:
        """fixedDelay 5 s for half of them, clients that wait 300 ms: the commonest experiment there is."""
        effect = replace(DELAY, patience=0.3)
        found = judged(effect, SimulatedGateway(delay=lambda _: 0.5, patience=0.3), 20, 500)
        delay, added = found["delay"], found["added-delay"]
        assert (delay.verdict, delay.unknown) == (V, 0) and delay.observed == delay.drawn
        assert found["route"].verdict is V
        assert delay.left > 4000 and "their clients left first" in delay.sentence
        assert added.verdict is Verdict.NOT_JUDGED and "none sees the end of a delay of 5s" in added.sentence

    def test_a_hypothesis_counts_them_as_the_claim_does(self) -> None:
        gateway = SimulatedGateway(delay=lambda _: 0.5, patience=0.3)
        hypotheses = Hypotheses([parse_expression("delayed > 40%")])
        judge = Judge(expectations([PhaseEffects("", (replace(DELAY, patience=0.3),))]), hypotheses=hypotheses)
        for digest in gateway.seconds(10, 500):
            judge.observe(digest)
        found = {each.title: each for each in judge.findings(gateway.counters)}
        assert found["delayed > 40%"].verdict is V and found["delayed > 40%"].observed == found["delay 5s"].observed

    def test_dice_that_are_off_are_found_all_the_same(self) -> None:
        found = judged(replace(DELAY, patience=0.3), SimulatedGateway(delay=lambda _: 0.45, patience=0.3), 40, 500)
        assert found["delay"].verdict is F

    def test_slow_requests_that_are_given_up_do_not_bend_the_share_of_aborts(self) -> None:
        """Aborts are quick, so that of those who were answered more than half were aborted."""
        both = replace(ABORT, faults=(delaying(0.5, 5.0), *ABORT.faults), patience=0.3)
        found = judged(both, SimulatedGateway(abort=lambda _: 0.5, delay=lambda _: 0.5, patience=0.3), 30, 500)
        assert found["abort"].verdict is V and found["abort"].left > 0

    def test_lost_responses_are_neither_hits_nor_misses(self) -> None:
        """A third without a word from anybody: half may have been aborted, or a third, or two thirds."""
        abort = judged(ABORT, SimulatedGateway(abort=lambda _: 0.5, losing=0.33), 30, 1000)["abort"]
        assert (abort.verdict, abort.cause, abort.needed) == (U, "lost", None)
        assert abort.unknown > 9000 and "may have met anything" in abort.sentence
        low, high = abort.interval or (1.0, 0.0)
        assert low is not None and high is not None and low < 0.34 and high > 0.66

    def test_a_few_lost_ones_widen_and_do_not_stop(self) -> None:
        found = judged(ABORT, SimulatedGateway(abort=lambda _: 0.5, losing=0.0001), 40, 1000)
        assert found["abort"].verdict is V and found["abort"].unknown > 0
        assert found["route"].verdict is V

    def test_a_gateway_that_says_nothing_leaves_it_open(self) -> None:
        """From outside a client that leaves before the delay is over cannot tell a delay from a slow upstream."""
        gateway = SimulatedGateway(delay=lambda _: 0.5, patience=0.3, tagged=False)
        delay = judged(replace(DELAY, patience=0.3), gateway, 20, 500)["delay"]
        assert (delay.verdict, delay.cause) == (U, "lost")


class TestTagsThatAreNotTrue:
    """A response that is tagged as delayed and came before the delay can have been over was not delayed."""

    def test_half_of_the_delays_are_tagged_and_do_not_happen(self) -> None:
        gateway = SimulatedGateway(delay=lambda _: 0.5, short=0.5, added=0.1, slowness=0.001)
        delay = judged(replace(DELAY, faults=(delaying(0.5, 0.1),)), gateway, 10, 500)["delay"]
        assert (delay.verdict, delay.cause) == (F, "tagged-only") and delay.drawn is not None and delay.drawn.k > 0
        assert "came before 95ms, so that their tags are not true" in delay.sentence

    def test_one_refutes_that_everything_is_delayed(self) -> None:
        gateway = SimulatedGateway(delay=lambda _: 1.0, short=0.001)
        delay = judged(replace(DELAY, faults=(delaying(1.0, 5.0),)), gateway, 10, 500)["delay"]
        assert (delay.verdict, delay.cause) == (F, "tagged-only")

    def test_twice_as_many_tags_as_delays_are_as_many_delays_as_configured(self) -> None:
        gateway = SimulatedGateway(delay=lambda _: 0.6, short=0.5)
        found = judged(replace(DELAY, faults=(delaying(0.3, 5.0),)), gateway, 30, 500)
        assert found["delay"].observed is not None and found["delay"].observed.share == pytest.approx(0.3, abs=0.02)
        assert (found["delay"].cause, found["added-delay"].verdict) == ("count", F)

    def test_where_nothing_should_be_delayed_a_tag_refutes(self) -> None:
        judge = Judge(expectations([PhaseEffects("", (DELAY,), faults=False)]))
        judge.observe(SimulatedGateway(delay=lambda _: 0.1, short=1.0).second(0, 500))
        assert next(each for each in judge.findings(None) if each.kind == "delay").verdict is F

    def test_each_phase_has_its_own_delay(self) -> None:
        """A ramp: what is long enough in the first phase is not in the second."""
        phases = [
            PhaseEffects(name, (replace(DELAY, faults=(delaying(0.5, added),)),))
            for name, added in (("short", 0.1), ("long", 0.4))
        ]
        judge = Judge(expectations(phases))
        for name in ("short", "long"):
            gateway = SimulatedGateway(delay=lambda _: 0.5, added=0.1, phase=name)
            for digest in gateway.seconds(20, 500):
                judge.observe(digest)
        found = {each.phase: each for each in judge.findings(None) if each.kind == "delay"}
        assert {name: each.verdict for name, each in found.items()} == {"short": V, "long": F}
        assert found["long"].observed == Tally(0, 10_000) and found["long"].cause == "tagged-only"

    @pytest.mark.parametrize("text", ["fault: delayed > 20%", "fault: delayed > 20% within 1s"])
    def test_a_hypothesis_counts_as_the_claim_does(self, text: str) -> None:
        phases = [PhaseEffects("fault", (DELAY,))]
        judge = RunJudge(expectations(phases), [parse_expression(text)])
        for digest in SimulatedGateway(delay=lambda _: 0.3, short=0.5, phase="fault").seconds(10, 500):
            judge.observe(digest)
            judge.second(digest)
        found = {each.kind: each for each in judge.findings(None)}
        assert found["hypothesis"].verdict is F
        assert found["hypothesis"].estimate == pytest.approx(found["delay"].estimate, abs=0.01)


@pytest.mark.parametrize(
    ("answered", "lost", "left", "known", "unknown"),
    [
        (Tally(10, 100), 0, None, Tally(10, 100), 0),
        (Tally(10, 100), 50, None, Tally(10, 100), 50),
        (Tally(0, 100), 100, Tally(100, 100), Tally(100, 200), 0),
        (Tally(0, 100), 100, Tally(60, 80), Tally(60, 180), 20),  # the gateway knows of 80 of the 100
        (Tally(0, 100), 100, Tally(70, 120), Tally(50, 180), 20),  # any 20 of the gateway's are not told of yet
        (Tally(0, 100), 0, Tally(30, 50), Tally(0, 100), 0),
    ],
)
def test_both_ledgers_of_those_who_left_are_compared_with_care(
    answered: Tally, lost: int, left: Tally | None, known: Tally, unknown: int
) -> None:
    drawn = Left(left.k, left.n, left.n) if left else None
    assert with_lost(answered, lost, drawn)[:2] == (known, unknown)


Judged = dict[str, Finding]


class TestWhatARightShareHides:
    def judged(
        self, effect: Effect, gateways: Sequence[SimulatedGateway], seconds: int, rate: int
    ) -> dict[str, Finding]:
        """The findings on one rule whose tasks meet a gateway each."""
        effect = replace(effect, tasks=tuple(gateway.task for gateway in gateways))
        judge = Judge(expectations([PhaseEffects("", (effect,))]))
        findings: Sequence[Finding] = []
        for second in range(seconds):
            for gateway in gateways:
                judge.observe(gateway.second(second, rate))
            findings = judge.findings(None)
        return {finding.kind: finding for finding in findings}

    def test_a_small_task_that_is_always_aborted_is_found(self) -> None:
        """49.5 % on one task and 100 % on a small one are 50.5 % in all."""
        many = SimulatedGateway(abort=lambda _: 0.495, task="GET /many", seed=1)
        few = SimulatedGateway(abort=lambda _: 1.0, task="GET /few", seed=2, connections=2)
        abort = self.judged(ABORT, [many, few], 12, 1000)["abort"]
        assert (abort.verdict, abort.cause) == (F, "per-task")
        assert "100\u202f% of" in abort.sentence and "GET /few" in abort.sentence

    @pytest.mark.parametrize("seed", range(12))
    def test_tasks_that_are_alike_are_not_told_apart(self, seed: int) -> None:
        """Each guard is wrong in 0.02 % of runs at most; seeded."""
        several = [
            SimulatedGateway(abort=lambda _: 0.5, delay=lambda _: 0.5, task=f"GET /{n}", seed=10 * seed + n, added=0.1)
            for n in range(3)
        ]
        both = replace(ABORT, faults=(delaying(0.5, 0.1), *ABORT.faults))
        found = self.judged(both, several, 8, 400)
        assert F not in {found["abort"].verdict, found["delay"].verdict}

    def test_what_is_lost_makes_no_task_differ(self) -> None:
        """Clients leave before the delay is over: of those who are answered, none was delayed, on any task."""
        several = [
            SimulatedGateway(delay=lambda _: 0.5, patience=0.3, task=f"GET /{n}", seed=n, tagged=True) for n in range(3)
        ]
        assert self.judged(DELAY, several, 8, 400)["delay"].verdict is U

    def test_one_lost_response_does_not_hide_a_task_that_differs(self) -> None:
        many = SimulatedGateway(abort=lambda _: 0.45, task="GET /many", seed=1, losing=0.0005)
        few = SimulatedGateway(abort=lambda _: 0.55, task="GET /few", seed=2)
        abort = self.judged(ABORT, [many, few], 12, 1000)["abort"]
        assert (abort.verdict, abort.cause) == (F, "per-task") and abort.unknown > 0

    def test_faults_that_come_together_are_not_independent(self) -> None:
        gateway = SimulatedGateway(abort=lambda _: 0.5, delay=lambda _: 0.5, added=0.1, coupled=True)
        abort = judged(replace(ABORT, faults=(delaying(0.5, 0.1), *ABORT.faults)), gateway, 5, 500)["abort"]
        assert (abort.verdict, abort.cause) == (F, "coupled") and "not independently of the delay" in abort.sentence


def test_each_mirror_is_judged_by_its_own_copies_and_those_under_way_count() -> None:
    """Copies are counted when they are drawn, as requests are: one that waits for its delay is no counter-example."""
    copied = replace(WEB, mirrors=(("copy:80", 1.0), ("other:80", 0.1)))
    gateway = SimulatedGateway()
    counts = gateway.counts | {
        "requests": 20_000,
        "forwarded": 20_000,
        "mirrors": {"copy:80": 20_000, "other:80": 2000},
    }
    judge = Judge(expectations([PhaseEffects("", (copied,))]))
    found = judge.findings({**gateway.counters, "phases": {"": {gateway.rule: counts}}})
    assert {each.title: each.verdict for each in found if each.kind == "mirror"} == {
        "mirrored to copy": V,
        "mirrored to other": V,
    }


def test_a_refuted_claim_stays_refuted_and_shows_the_counts_of_the_run() -> None:
    """A gateway that is off at first, and so far off the other way later that its whole share is right again."""
    gateway = SimulatedGateway(abort=lambda second: 0.30 if second < 4 else 0.70)
    judge = Judge(expectations([PhaseEffects("", (ABORT,))]))
    found = []
    for digest in gateway.seconds(8, 1000):
        judge.observe(digest)
        found.append(next(each for each in judge.findings(gateway.counters) if each.kind == "abort"))
    first = next(each for each in found if each.verdict is F)
    assert first.observed is not None and first.observed.n < 4000
    assert found[-1].verdict is F
    assert found[-1].observed is not None and found[-1].observed.n == 8000
