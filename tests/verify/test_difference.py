"""Two proportions side by side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.verify.difference import Counts, allows, difference
from chaos.verify.interval import VAGUE, interval


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    n = draw(st.integers(0, 10**6))
    return Counts(draw(st.integers(0, n)), n)


@given(counts(), counts())
def test_it_holds_the_estimate_and_mirrors_itself(first: Counts, second: Counts) -> None:
    there, back = difference(first, second, 0.01), difference(second, first, 0.01)
    assert -1 <= there.low <= there.estimate <= there.high <= 1
    assert allows(first, second, there.estimate, 0.01)
    assert (there.low, there.high) == (pytest.approx(-back.high, abs=1e-6), pytest.approx(-back.low, abs=1e-6))


def test_nothing_seen_allows_everything() -> None:
    found = difference(Counts(0, 0), Counts(5, 10), 0.01)
    assert found.low < -0.4 and found.high > 0.4 and not found.seen


def test_a_difference_of_ten_points_is_seen_in_two_thousand_requests_and_not_in_two_hundred() -> None:
    assert difference(Counts(800, 2000), Counts(1000, 2000), 0.01).seen
    assert not difference(Counts(80, 200), Counts(100, 200), 0.01).seen


def test_it_is_tighter_than_subtracting_two_intervals() -> None:
    first, second = Counts(4000, 10_000), Counts(5000, 10_000)
    one, other = (interval(VAGUE, each.k, each.n, 0.005) for each in (first, second))
    found = difference(first, second, 0.01)
    assert other.low - one.high < found.low and found.high < other.high - one.low


def test_equal_proportions_are_told_apart_in_at_most_1_run_of_100() -> None:
    """1 000 seeded pairs of runs, each pair looked at six times: by chance over 2.5 % with probability below 1e-5."""
    random = np.random.default_rng(7)
    wrong = 0
    for _ in range(1000):
        k, m, n, seen = 0, 0, 0, False
        for more in (50, 50, 100, 200, 400, 800):
            k, m, n = k + random.binomial(more, 0.3), m + random.binomial(more, 0.3), n + more
            seen |= not allows(Counts(k, n), Counts(m, n), 0.0, 0.01)
        wrong += seen
    assert wrong <= 25
