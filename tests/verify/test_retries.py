"""Retries: verified when tries fail on their own and all are made, found out when they do not or are not."""

from __future__ import annotations

from math import inf, log

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from chaos.verify.interval import log_likelihood
from chaos.verify.likelihood import greatest_likelihood
from chaos.verify.retries import requests_needed, share_left
from chaos.verify.verdict import Verdict
from tests.support.simulated_tries import SimulatedTries

V, F, U = Verdict.VERIFIED, Verdict.FALSIFIED, Verdict.INCONCLUSIVE
QUARTER = [0.25] * 4


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng([10, seed])


@pytest.mark.parametrize(
    ("failing", "requests"), [(QUARTER, 120_000), ([0.5] * 4, 12_000), ([0.25, 0.25], 8_000), ([0.1] * 3, 500_000)]
)
def test_independent_tries_are_verified(failing: list[float], requests: int) -> None:
    run = SimulatedTries(failing)
    assert run.verdict(0.0025, random(1), step=requests // 40, limit=requests) is V


@pytest.mark.parametrize(
    ("run", "requests"),
    [
        (SimulatedTries([0.25, 0.25, 0.25, 1.0]), 20_000),
        (SimulatedTries([0.25, 0.9, 0.9, 0.9]), 2_000),
        (SimulatedTries([0.1, 0.5, 0.5, 0.19]), 4_000),
        (SimulatedTries(QUARTER, [0.5, 0.5, 0.5]), 2_000),
        (SimulatedTries(QUARTER, [0, 0, 1]), 4_000),
        (SimulatedTries([0.05] * 4, [0, 0, 1]), 150_000),
        (SimulatedTries([0.01] * 4, [0, 1]), 200_000),
        (SimulatedTries(QUARTER, again=0.9), 8_000),
    ],
    ids=[
        "the last always fails", "tries fail together", "the middle ones fail more often", "half are given up",
        "two retries instead of three", "two instead of three, of a twentieth", "one instead of three, of a hundredth",
        "four instead of three",
    ],
)  # fmt: skip
def test_others_are_falsified(run: SimulatedTries, requests: int) -> None:
    run.given_up = [*run.given_up, *([0.0] * (3 - len(run.given_up)))]
    assert run.verdict(0.0025, random(2), step=requests // 10, limit=requests) is F


def test_few_requests_leave_it_open() -> None:
    assert SimulatedTries(QUARTER).verdict(0.0025, random(3), step=1_000, limit=1_000) is U


@pytest.mark.parametrize("failing", [0.0, 0.01, 0.05])
def test_tries_that_hardly_fail_are_never_verified(failing: float) -> None:
    """The last of four tries is made for one request in a million when a hundredth fails: nobody can say whether it
    is."""
    run = SimulatedTries([failing] * 4)
    assert run.verdict(0.0025, random(4), step=100_000, limit=500_000) is U
    assert requests_needed(run.tries(), 0.0025) is None


def test_the_requests_that_a_verdict_takes_are_forecast() -> None:
    run = SimulatedTries(QUARTER)
    run.grow(20_000, random(5))
    needed = requests_needed(run.tries(), 0.0025)
    assert needed is not None and 25_000 < needed < 100_000


def test_the_interval_of_what_is_left_holds_its_own_estimate() -> None:
    for seed in range(50):
        run = SimulatedTries([0.2, 0.6, 0.1, 0.4], [0.1, 0.0, 0.3])
        run.grow(200 * (seed + 1), random(seed))
        tries = run.tries()
        assert tries.left / tries.requests in share_left(tries, 0.01)


@pytest.mark.parametrize(
    ("failing", "wrong"),
    [
        ([0.5] * 4, F),
        ([0.5, 0.75], V),
        ([0.5, 0.25], V),
        ([0.5, *[0.5 * 1.5 ** (1 / 3)] * 3], V),
        ([0.5, *[0.5 * 0.5 ** (1 / 3)] * 3], V),
    ],
    ids=["right", "the last half as much again", "the last half", "half as much again in the end", "half in the end"],
)
def test_it_is_wrong_in_at_most_1_run_of_100(failing: list[float], wrong: Verdict) -> None:
    """200 seeded runs on the edge: more than 11 wrong ones in less than 1 of 10^6."""
    found = [SimulatedTries(failing).verdict(0.01, random(100 + seed), step=2_000, limit=10_000) for seed in range(200)]
    assert found.count(wrong) <= 11


def test_the_greatest_likelihood_under_a_limit_is_that_of_a_search() -> None:
    """Two proportions, the second at least 1.5 times the first: on the edge only the first is free."""
    counts = [(250, 1000), (70, 250)]
    found = greatest_likelihood(counts, [-1, 1], log(1.5))
    searched = minimize_scalar(
        lambda s: -log_likelihood(s, *counts[0]) - log_likelihood(1.5 * s, *counts[1]), bounds=(0.01, 0.66)
    )
    assert found == pytest.approx(-searched.fun, abs=1e-6)
    free = greatest_likelihood(counts, [-1, 1], log(1.1))
    assert free == pytest.approx(log_likelihood(0.25, *counts[0]) + log_likelihood(0.28, *counts[1]))
    assert greatest_likelihood([(0, 100), (0, 0)], [-1, 1], log(1.5)) == 0.0
    assert greatest_likelihood([(10, 100)], [1], -inf) == pytest.approx(log_likelihood(0.1, 10, 100))
