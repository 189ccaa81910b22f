"""Calls per user request, with an interval."""

from __future__ import annotations

from math import inf

import numpy as np

from chaos.verify.ratio import ratio


def test_without_requests_there_is_no_ratio() -> None:
    assert ratio([], 0.01) is None and ratio([(3, 0)], 0.01) is None


def test_a_few_seconds_say_nothing_about_the_spread() -> None:
    found = ratio([(30, 10), (31, 10)], 0.01)
    assert found is not None and (found.low, found.high) == (0.0, inf) and found.estimate == 3.05


def test_it_holds_the_true_ratio_at_every_moment_of_99_runs_in_100() -> None:
    """1 000 seeded runs of 120 seconds, looked at every tenth second; by chance over 3 %: below 1 in 10^6."""
    random = np.random.default_rng(2024)
    missed = 0
    for _ in range(1000):
        users = random.poisson(50, 120)
        calls = users + random.binomial(users * 3, 0.25)
        seconds = list(zip(calls.tolist(), users.tolist(), strict=True))
        found = [ratio(seconds[:n], 0.01) for n in range(20, 121, 10)]
        missed += any(each is None or not each.low <= 1.75 <= each.high for each in found)
    assert missed <= 30


def test_it_closes_in() -> None:
    random = np.random.default_rng(1)
    seconds = [(int(random.poisson(150)), 50) for _ in range(1000)]
    early, late = ratio(seconds[:30], 0.01), ratio(seconds, 0.01)
    assert early is not None and late is not None and late.high - late.low < (early.high - early.low) / 3
