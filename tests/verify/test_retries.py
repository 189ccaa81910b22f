"""What retries leave over: verified when tries fail on their own, found out when they do not."""

from __future__ import annotations

import numpy as np
import pytest

from chaos.verify.retries import Tries, residual
from chaos.verify.verdict import Verdict


def run(n: int, failing: list[float], seed: int, reached: float = 1.0) -> Tries:
    """`failing` is the probability of each try in turn; only a share `reached` of failed requests is tried again."""
    random = np.random.default_rng(seed)
    left, early, early_failed, given_up = n, 0, 0, 0
    for share in failing[:-1]:
        failed = int(random.binomial(left, share))
        early, early_failed = early + left, early_failed + failed
        left = int(random.binomial(failed, reached))
        given_up += failed - left
    return Tries(len(failing), n, early, early_failed, left, int(random.binomial(left, failing[-1])), given_up)


def verdict(tries: Tries) -> Verdict:
    return residual(tries, 0.005).assess(max(tries.expected / 2, 0.001))


def test_independent_tries_are_verified_with_thirty_thousand_requests() -> None:
    assert verdict(run(35_000, [0.25] * 4, 1)) is Verdict.VERIFIED


@pytest.mark.parametrize(
    ("failing", "reached"),
    [([0.25, 0.25, 0.25, 1.0], 1.0), ([0.25, 0.9, 0.9, 0.9], 1.0), ([0.25] * 4, 0.5)],
    ids=["the last always fails", "tries fail together", "half are given up"],
)
def test_tries_that_are_not_are_falsified(failing: list[float], reached: float) -> None:
    assert verdict(run(30_000, failing, 2, reached)) is Verdict.FALSIFIED


def test_few_requests_leave_it_open() -> None:
    assert verdict(run(1_000, [0.25] * 4, 3)) is Verdict.INCONCLUSIVE


def test_nothing_that_fails_is_verified_soon() -> None:
    assert verdict(run(12_000, [0.0] * 4, 4)) is Verdict.VERIFIED


def test_independent_tries_are_falsified_in_at_most_1_run_of_100() -> None:
    """500 seeded runs, looked at five times each, with alpha 1 %; the interval of the share holds the truth as
    often."""
    wrong = missed = 0
    for seed in range(500):
        looks = [run(2_000 * 2**look, [0.25] * 4, 10 * seed + look) for look in range(5)]
        found = [residual(tries, 0.01) for tries in looks]
        wrong += any(each.excess_low > 0 or each.excess_high < 0 for each in found)
        missed += any(0.25**4 not in each.share for each in found)
    assert wrong <= 17 and missed <= 17
