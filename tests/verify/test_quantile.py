"""Intervals of quantiles: they hold the true one at every moment, and say when they know nothing."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from chaos.verify.dependence import alike
from chaos.verify.quantile import Sample, Span, allowed_ranks, quantile_span
from tests.support.simulated_latencies import around, misses, ranks


def sample(values: list[float]) -> Sample:
    return Sample((value, value, 1) for value in sorted(values))


def test_nothing_seen_allows_everything() -> None:
    assert quantile_span(sample([]), 0.99, 0.01) == Span(0.0, inf)
    with pytest.raises(ValueError, match="empty"):
        sample([]).quantile(0.5)


def test_a_hundred_requests_do_not_bound_their_99th_percentile() -> None:
    found = quantile_span(sample([0.1] * 100), 0.99, 0.01)
    assert found.high == inf and found.low == 0.1


def test_many_do() -> None:
    found = quantile_span(sample([index / 100_000 for index in range(100_000)]), 0.99, 0.01)
    assert 0.988 < found.low < 0.99 < found.high < 0.992


def test_an_interval_reaches_to_the_outer_edges_of_its_buckets() -> None:
    found = quantile_span(Sample([(1.0, 2.0, 10_000)]), 0.5, 0.01)
    assert found == Span(1.0, 2.0)
    assert Sample([(1.0, 2.0, 10)]).quantile(0.5) == 1.5


def test_values_that_are_unknown_may_be_the_least_or_the_greatest() -> None:
    known = sample([index / 10_000 for index in range(10_000)])
    exact, wide = quantile_span(known, 0.99, 0.01), quantile_span(known, 0.99, 0.01, unknown=100)
    assert wide.low < exact.low < exact.high < wide.high == inf
    median = quantile_span(known, 0.5, 0.01, unknown=100)
    assert median.low < 0.49 < 0.51 < median.high < 0.55


def test_requests_known_to_be_quick_enough_are_counted() -> None:
    latencies = Sample([(0.1, 0.2, 5), (0.2, 0.3, 4), (0.4, 0.5, 1)])
    assert latencies.at_most(0.3) == 9 and latencies.at_most(0.25) == 5


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_it_holds_the_true_quantile_at_every_moment_of_99_runs_in_100(level: float) -> None:
    """4 000 seeded runs, looked at some forty times: the true quantile's rank is binomial. By chance over 1.8 %: 1 in
    10^6."""
    random = np.random.default_rng([2022, round(level * 100)])
    rank, n = np.zeros(4000), 0
    missed = np.zeros(4000, bool)
    while n < 20_000:
        step = max(5, n // 5)
        rank += random.binomial(step, level, 4000)
        n += step
        low, high = allowed_ranks(n, level, 0.01)
        missed |= (rank < low) | (rank > high)
    assert missed.mean() <= 0.018


@pytest.mark.parametrize("level", [0.5, 0.99])
@pytest.mark.parametrize("likeness", [0.0, 0.5])
def test_it_holds_the_true_quantile_of_latencies_that_depend_on_each_other(level: float, likeness: float) -> None:
    """150 seeded runs of a minute, looked at thirty times: by chance over 9: below 1 in 10^5."""
    random = np.random.default_rng([15, round(level * 100), round(likeness * 10)])
    runs = [ranks(level, random, likeness=likeness) for _ in range(150)]
    assert sum(misses(k, 300, level, 0.01, around(level), alike) for k in runs) <= 9


def test_spans_subtract_and_divide() -> None:
    assert Span(5.0, 5.2).minus(Span(0.1, 0.3)) == Span(4.7, pytest.approx(5.1))
    assert Span(2.0, 3.0).over(Span(1.0, 2.0)) == Span(1.0, 3.0)
    assert Span(2.0, 3.0).over(Span(0.0, 2.0)).high == inf
