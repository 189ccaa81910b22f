"""What is promised beforehand comes true: requests until a verdict, and the smallest deviation that would be seen."""

from __future__ import annotations

import numpy as np
import pytest
from support.simulated_runs import decided_runs

from chaos.verify.claim import within
from chaos.verify.interval import divergence
from chaos.verify.planning import requests_needed, smallest_deviation
from chaos.verify.verdict import Verdict


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.01, 0.0005])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.5, 0.99])
def test_half_of_all_runs_end_by_the_median_and_nine_in_ten_by_the_other(share: float, alpha: float) -> None:
    claim = within(share)
    promised = requests_needed(claim, alpha)
    step = max(1, promised.median // 100)
    runs = decided_runs(claim, share, alpha, runs=1000, step=step, limit=1000 * step, seed=[6, round(share * 1000)])
    assert np.percentile(runs.requests, 50) == pytest.approx(promised.median, rel=0.1)
    assert np.percentile(runs.requests, 90) == pytest.approx(promised.nine_in_ten, rel=0.1)


def test_a_verdict_at_50_percent_and_2_points_takes_seven_thousand_requests() -> None:
    assert 6_900 < requests_needed(within(0.5), 0.01).median < 7_200


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9])
def test_the_smallest_deviation_is_falsified_and_a_little_less_is_not(share: float) -> None:
    claim, n = within(share), 20_000
    deviation = smallest_deviation(claim, n, 0.01)
    assert deviation is not None and deviation > claim.tolerance
    off = [claim.assess((share + side * deviation * 1.001) * n, n, 0.01) is Verdict.FALSIFIED for side in (-1, 1)]
    less = [claim.assess((share + side * deviation * 0.97) * n, n, 0.01) is Verdict.FALSIFIED for side in (-1, 1)]
    assert all(off) and not all(less)


def test_never_and_always_are_refuted_by_one_request() -> None:
    assert smallest_deviation(within(0.0), 1000, 0.01) == pytest.approx(0.001)
    assert smallest_deviation(within(1.0), 1000, 0.01) == pytest.approx(0.001)


def test_a_handful_of_requests_shows_nothing() -> None:
    assert smallest_deviation(within(0.5), 3, 0.01) is None


def test_divergence_of_equals_is_nothing() -> None:
    assert divergence(0.3, 0.3) == pytest.approx(0) and divergence(0.5, 0.0) == float("inf")
