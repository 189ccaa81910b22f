"""Delayed requests get upstream later than those sent with them: what was slower then says nothing of the delay."""

from __future__ import annotations

from math import inf

import pytest

from chaos.claims.observations import Pace
from chaos.claims.shares.unsteady import unsteadiness
from chaos.verify.quantile import Span
from chaos.verify.shift import Shift


def paces(*typical: float | None, late: int = 100) -> list[Pace]:
    """Stretches of a second, each with as many delayed requests."""
    return [Pace(second + 1.0, late, each) for second, each in enumerate(typical)]


def test_a_steady_system_is_off_by_nothing() -> None:
    assert unsteadiness(paces(*[0.2] * 30), 5.0) == 0.0
    assert unsteadiness(paces(*[0.01, 0.03] * 20), 4.0) == pytest.approx(0.0, abs=0.003)


def test_while_nobody_knows_how_slow_it_was_when_they_got_upstream_nothing_is_known() -> None:
    assert unsteadiness(paces(0.5, 0.6), 5.0) == inf
    assert unsteadiness(paces(0.5, None, None, None, None, None, None), 5.0) == inf
    assert Shift(4.6, Span(4.5, 4.7)).widened(inf).span == Span(0.0, inf)


def test_a_burst_at_the_beginning_counts_as_much_as_its_requests() -> None:
    calm = [0.0] * 20
    assert unsteadiness(paces(1.0, 1.0, *calm), 5.0) == pytest.approx(2 / 22)
    assert unsteadiness(paces(1.0, 1.0, *calm * 20), 5.0) == pytest.approx(2 / 402)


def test_what_is_not_known_yet_is_as_unsteady_as_it_was_lately() -> None:
    """Of the last ten seconds' delayed requests nobody knows what they met."""
    last = [0.1, 0.3] * 10
    found = unsteadiness(paces(*[0.2] * 10, *last), 10.0)
    assert found == pytest.approx(10 / 30 * 0.2, abs=0.01)


def test_a_delay_within_one_stretch_is_as_unsteady_as_that_stretch() -> None:
    assert unsteadiness(paces(1.0, 0.0, 1.0, 0.0), 0.0) == 0.0


def test_samples_without_a_time_line_are_taken_as_steady() -> None:
    assert unsteadiness(paces(0.4), 5.0) == 0.0 == unsteadiness([], 5.0)
    assert unsteadiness(paces(0.4, 0.5, late=0), 5.0) == 0.0
