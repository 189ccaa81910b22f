"""What the rules lead one to expect, before anything runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.faults import aborting, delaying

from chaos.claims.effects import Effect, PhaseEffects, Retries
from chaos.claims.expectations import expectations
from chaos.claims.expected_outcomes import LatencyPart, expected_outcomes, latency_mixture, mean_delay, residual_share
from chaos.claims.judge.forecast import expected_rate, plan_lines

WEB = Effect("virtualservice/default/web/0", "web[0]", tasks=("GET /",), destinations=(("web:80", 1.0),))
shares = st.floats(0, 1)


def test_delay_and_abort_are_independent() -> None:
    """20 % late and 50 % refused: 10 % are both."""
    effect = replace(WEB, faults=(delaying(0.2, 2.0), aborting(0.5, 503)))
    found = {(outcome.status, outcome.fault): outcome.share for outcome in expected_outcomes(effect)}
    assert found == {
        (503, "abort"): pytest.approx(0.4),
        (None, ""): pytest.approx(0.4),
        (503, "delay,abort"): pytest.approx(0.1),
        (None, "delay"): pytest.approx(0.1),
    }
    assert latency_mixture(expected_outcomes(effect)) == (
        LatencyPart(pytest.approx(0.8), 0.0),
        LatencyPart(pytest.approx(0.2), 2.0),
    )
    assert mean_delay(expected_outcomes(effect)) == pytest.approx(0.4)


@given(shares, shares, shares, st.floats(0, 1), st.integers(0, 5))
def test_shares_add_up_to_one(abort: float, delay: float, weight: float, failing: float, attempts: int) -> None:
    effect = replace(
        WEB,
        faults=(delaying(delay, 1.0), aborting(abort, 503)),
        destinations=(("a:80", weight), ("b:80", 1 - weight)),
        retries=Retries(attempts, lambda status: status >= 500),
    )
    for faults in (True, False):
        assert sum(o.share for o in expected_outcomes(effect, faults=faults, failing=failing)) == pytest.approx(1)


def test_three_retries_of_a_quarter_leave_a_256th() -> None:
    effect = replace(WEB, retries=Retries(3, lambda status: status >= 500))
    left = [outcome for outcome in expected_outcomes(effect, failing=0.25) if outcome.exhausted]
    assert [outcome.share for outcome in left] == [pytest.approx(0.25**4)] and residual_share(0.25, 3) == 1 / 256
    assert [outcome.tries for outcome in expected_outcomes(effect, failing=0.25)] == [1, 2, 3, 4, 4]


def test_a_redirect_and_an_unknown_destination_have_their_own_status() -> None:
    assert expected_outcomes(replace(WEB, reply="redirect", reply_status=301))[0].status == 301
    assert expected_outcomes(replace(WEB, destinations=(), unreachable=True))[0].status == 503


def test_faults_that_are_off_leave_only_the_upstream() -> None:
    (only,) = expected_outcomes(replace(WEB, faults=(aborting(0.5, 503),)), faults=False)
    assert (only.share, only.status, only.destination) == (1.0, None, "web:80")


def test_a_plan_says_what_a_verdict_takes() -> None:
    phases = [PhaseEffects("", (replace(WEB, faults=(aborting(0.5, 400),)),))]
    lines = {
        line.expectation.kind: line for line in plan_lines(phases, expectations(phases), {"GET /": 1, "GET /b": 3})
    }
    abort = lines["abort"]
    assert abort.share == 0.25 and abort.median is not None and abort.nine_in_ten is not None
    assert 25_000 < abort.median < 45_000 < abort.nine_in_ten < 80_000
    assert abort.deviation is not None and 0.02 < abort.deviation < 0.06


def test_a_fixed_number_of_requests_shows_so_much_and_no_less() -> None:
    phases = [PhaseEffects("", (replace(WEB, faults=(aborting(0.5, 400),)),))]
    few, many = (
        plan_lines(phases, expectations(phases), {"GET /": 1}, requests=n)[1].deviation for n in (2_000, 200_000)
    )
    assert few is not None and many is not None and few > 0.05 > many > 0.02


def test_an_added_delay_takes_few_requests_and_a_residual_depends_on_the_upstream() -> None:
    effect = replace(WEB, faults=(delaying(0.1, 5.0),), retries=Retries(3, lambda status: status >= 500))
    phases = [PhaseEffects("", (effect,))]
    lines = {line.expectation.kind: line for line in plan_lines(phases, expectations(phases), {"GET /": 1})}
    assert lines["residual"].median is None
    delay = lines["added-delay"].median
    assert delay is not None and 100 < delay < 1000


def test_users_that_wait_are_slow() -> None:
    assert expected_rate(1000, 2.5) == 400 and expected_rate(20, 0.0) == 4000 and expected_rate(20, 1, 77.0) == 77
