"""Calls per user request, with an interval that holds while seconds depend on each other."""

from __future__ import annotations

import numpy as np
import pytest

from chaos.verify.dependence import lengths, scatter
from chaos.verify.ratio import excludes, ratio
from tests.support.simulated_calls import Calls, alike, in_stretches, steady, storms


def test_without_requests_there_is_no_ratio() -> None:
    assert ratio([], 0.01, 4) is None and ratio([(3, 0)], 0.01, 4) is None


def test_a_few_stretches_say_nothing() -> None:
    found = ratio([(30, 10), (31, 10)], 0.01, 6)
    assert found is not None and found.low < 1 and found.high > 5 and found.estimate == 3.05


@pytest.mark.parametrize(
    "calls", [steady(1.75), storms(1, 4, 1 / 4, 1), storms(1, 4, 1 / 4, 5), alike(1.75, 0.5), alike(1.75, 0.9)],
    ids=["steady", "storms of a second", "storms of five seconds", "seconds alike", "seconds very alike"],
)  # fmt: skip
def test_it_holds_the_true_ratio_at_every_moment_of_99_runs_in_100(calls: Calls) -> None:
    """100 seeded runs of 400 seconds, looked at every 20 seconds: more than 7 missed ones in less than 1 of 10^5."""
    random = np.random.default_rng(2024)
    missed = 0
    for _ in range(100):
        stretches = in_stretches(*calls(400, random))
        missed += any(excludes(stretches[:n], 1.75, 0.01, 4.0) for n in range(4, 81, 4))
    assert missed <= 7


@pytest.mark.parametrize(("limit", "seconds"), [(3.0, 90), (2.5, 100), (1.2, 400)])
def test_it_closes_in(limit: float, seconds: int) -> None:
    found = ratio(in_stretches(*steady(1.33)(seconds, np.random.default_rng(1))), 0.01, 2 * limit)
    assert found is not None and (found.high < limit if limit > 1.33 else found.low > limit)


def test_a_stretch_beyond_what_is_assumed_leaves_no_upper_bound() -> None:
    stretches = [(100.0, 100.0)] * 60
    assert ratio(stretches, 0.01, 6).high < 3  # type: ignore[union-attr]
    assert ratio([*stretches, (700.0, 100.0)], 0.01, 6).high > 5  # type: ignore[union-attr]


def test_values_that_are_alike_scatter_more_in_longer_stretches() -> None:
    random = np.random.default_rng(3)
    alone = random.normal(size=640).tolist()
    together = np.repeat(random.normal(size=80), 8).tolist()
    assert lengths(640) == [2, 4, 8, 16, 32, 64] and lengths(11) == []
    assert scatter(alone, 8, 0.0) == pytest.approx(1, rel=0.3)
    assert scatter(together, 8, 0.0) == pytest.approx(8, rel=0.3)
    assert scatter(alone, 64, -2.05) > scatter(alone, 64, 0.0)
