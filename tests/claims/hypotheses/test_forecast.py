"""What a hypothesis takes is forecast from the rules alone; what they do not say is not guessed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chaos.claims.effects import Effect, PhaseEffects
from chaos.claims.hypotheses.expression import Names, parse_expression
from chaos.claims.hypotheses.forecast import HypothesisLine, hypothesis_line
from chaos.faults import AbortFault, DelayFault
from chaos.units import Percent
from chaos.verify.claim import below

ALPHA = 0.005
WEB = Effect(
    "web", "web[0]", tasks=("home",), faults=(AbortFault(Percent.of(50), 503),), destinations=(("web:80", 1.0),)
)
OTHER = Effect("shop", "shop[0]", tasks=("cart",), destinations=(("shop:80", 1.0),))
WEIGHTS = {"home": 1.0, "cart": 3.0}
NAMES = Names(("fault", "after"), ("home", "cart"), ("web",))


def line(text: str, *phases: PhaseEffects) -> HypothesisLine:
    found = phases or (PhaseEffects("", (WEB, OTHER)),)
    return hypothesis_line(parse_expression(text, NAMES), found, WEIGHTS, ALPHA)


def test_it_is_what_simulated_runs_take() -> None:
    """A share of 12.5 % against a limit of 15 %: 400 seeded runs, whose median lies near the forecast."""
    forecast, random, claim = line("failures < 15%"), np.random.default_rng(1), below(0.15)
    taken = []
    for _ in range(400):
        failed = np.cumsum(random.random(30_000) < 0.125)
        taken.append(
            next((n for n in range(100, 30_000, 100) if claim.assess(failed[n - 1], n, ALPHA).decided), 30_000)
        )
    assert forecast.median is not None and forecast.nine_in_ten is not None
    assert np.median(taken) == pytest.approx(forecast.median, rel=0.15)
    assert np.quantile(taken, 0.9) == pytest.approx(forecast.nine_in_ten, rel=0.3)


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("failures < 14%", "failures < 20%", "failures < 40%"),  # 12.5 % fail
        ("home.failures > 45%", "home.failures > 40%", "home.failures > 20%"),
        ("status(503) < 14%", "status(503) < 20%", "status(5xx) < 40%"),
        ("aborted > 11%", "aborted > 8%", "aborted > 4%"),
        ("successes > 86%", "successes > 80%", "successes > 60%"),
    ],
)
def test_the_nearer_the_limit_the_more(text: str, near: str, far: str) -> None:
    first, second, third = (line(each).median or 0 for each in (text, near, far))
    assert first > second > third > 0


def test_a_hypothesis_about_one_task_takes_more_of_the_whole_load() -> None:
    assert line("home.failures < 60%").share == 0.25
    assert (line("home.failures < 60%").median or 0) == 4 * round((line("home.failures < 60%").median or 0) / 4)


def test_clients_that_give_up_during_a_delay_fail() -> None:
    slow = replace(WEB, faults=(DelayFault(Percent.of(50), 2.0),), patience=0.3, tasks=("home", "cart"))
    assert (line("failures < 60%", PhaseEffects("", (slow,))).median or 0) > 100


def test_a_quantile_takes_no_fewer_than_when_all_keep_the_limit() -> None:
    median, high = line("median < 1s"), line("p99 < 1s")
    assert median.at_least and high.at_least
    assert 0 < (median.median or 0) < (high.median or 0) / 20


def test_phases_are_told_apart() -> None:
    fault, after = PhaseEffects("fault", (WEB, OTHER)), PhaseEffects("after", (WEB, OTHER), faults=False)
    assert (line("fault: failures < 14%", fault, after).median or 0) > (
        line("after: failures < 14%", fault, after).median or 0
    )
    assert line("failures < 14%", fault, after).median is None, "the phases differ"


@pytest.mark.parametrize("text", ["masked(web) > 90%", "amplification(web) < 2", "fault: p95 < 2 * after.p95"])
def test_what_depends_on_what_is_behind_is_not_guessed(text: str) -> None:
    assert line(text).median is None
