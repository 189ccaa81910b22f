"""The delay that was added, seen in the difference of two groups of one run."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from chaos.verify.quantile import Sample, Span
from chaos.verify.shift import MEDIAN, Shift, assess_span, shift_band
from chaos.verify.verdict import Verdict


def service_times(n: int, slowness: float, seed: int) -> np.ndarray:
    """Latencies of a service with a long tail."""
    return slowness * np.random.default_rng(seed).lognormal(0.0, 0.5, n)


def sample(values: np.ndarray) -> Sample:
    return Sample((float(value), float(value), 1) for value in np.sort(values))


def median_shift(late: Sample, reference: Sample, alpha: float) -> Shift:
    return shift_band(late, reference, alpha)[MEDIAN]


@pytest.mark.parametrize("slowness", [0.001, 0.02])
def test_a_slow_machine_does_not_fail_a_right_delay(slowness: float) -> None:
    late = sample(0.5 + service_times(1000, slowness, 1))
    found = median_shift(late, sample(service_times(1000, slowness, 2)), 0.01)
    assert assess_span(found.span, 0.475, 0.525) is Verdict.VERIFIED
    assert found.estimate == pytest.approx(0.5, abs=0.002)


def test_a_delay_that_is_10_percent_short_is_falsified() -> None:
    found = median_shift(sample(4.5 + service_times(200, 0.002, 3)), sample(service_times(200, 0.002, 4)), 0.01)
    assert assess_span(found.span, 4.75, 5.25) is Verdict.FALSIFIED


def test_a_few_requests_decide_nothing() -> None:
    found = median_shift(sample(5 + service_times(3, 0.002, 5)), sample(service_times(3, 0.002, 6)), 0.01)
    assert assess_span(found.span, 4.75, 5.25) is Verdict.INCONCLUSIVE


def test_without_a_group_to_compare_with_the_whole_latency_is_the_shift() -> None:
    nobody = sample(np.array([]))
    assert median_shift(sample(5 + service_times(100, 0.001, 7)), nobody, 0.01).estimate == pytest.approx(5, abs=0.01)
    assert shift_band(nobody, sample(service_times(10, 1, 7)), 0.01) == {}


def test_the_band_holds_the_shift_of_every_quartile() -> None:
    late, reference = sample(1 + service_times(5000, 0.1, 8)), sample(service_times(5000, 0.1, 9))
    found = shift_band(late, reference, 0.01)
    assert list(found) == [0.25, 0.5, 0.75]
    assert all(shift.span.low < 1.0 < shift.span.high for shift in found.values())


def test_the_verdict_says_where_the_span_lies() -> None:
    assert assess_span(Span(1.0, 2.0), 0.5, 2.5) is Verdict.VERIFIED
    assert assess_span(Span(1.0, 2.0), 2.1, 2.5) is Verdict.FALSIFIED
    assert assess_span(Span(1.0, 2.0), 1.5, 2.5) is Verdict.INCONCLUSIVE


def test_right_delays_are_hardly_ever_falsified() -> None:
    """500 seeded runs that are looked at ten times each; the truth is never outside more than once in a hundred."""
    missed = 0
    for run in range(500):
        late, reference = 5 + service_times(640, 0.01, 2 * run), service_times(640, 0.01, 2 * run + 1)
        sizes = [20, 40, 80, 160, 320, 640]
        spans = [median_shift(sample(late[:n]), sample(reference[:n]), 0.01) for n in sizes]
        missed += any(not found.span.low <= 5 <= found.span.high for found in spans)
        assert all(a.span.high - a.span.low > 0 for a, b in pairwise(spans))
    assert missed <= 20
