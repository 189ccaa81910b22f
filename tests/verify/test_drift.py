"""A share that is right on average and wrong for a while is found; one that is right all the time is not suspected."""

from __future__ import annotations

import numpy as np
import pytest

from chaos.verify.claim import within
from chaos.verify.drift import Drift, clearest_change, find_drift
from chaos.verify.verdict import Verdict

HALF = within(0.5)


def series(shares: list[float], rate: int, seed: int) -> list[tuple[int, int]]:
    random = np.random.default_rng(seed)
    return [(int(random.binomial(rate, share)), rate) for share in shares]


def test_faults_that_stop_after_a_minute_are_found_though_the_average_is_right() -> None:
    """All requests for a minute, none for the next: 50 % in all."""
    seconds = series([0.75] * 60 + [0.25] * 60, 500, 1)
    assert HALF.assess(sum(k for k, _ in seconds), sum(n for _, n in seconds), 0.01) is not Verdict.FALSIFIED
    found = find_drift(seconds, HALF, 0.001)
    assert found is not None and abs(found.share - 0.5) > 0.1


def test_a_right_minute_and_then_nothing() -> None:
    found = find_drift(series([0.5] * 60 + [0.0] * 3, 500, 2), HALF, 0.001)
    assert found is not None and found.since >= 50 and found.share < 0.3


@pytest.mark.parametrize("rate", [1, 50, 3000])
def test_a_steady_share_is_not_suspected(rate: int) -> None:
    assert find_drift(series([0.5] * 300, rate, 3), HALF, 0.001) is None


def test_right_gateways_are_suspected_in_at_most_1_run_of_100() -> None:
    """500 seeded runs on the very edge of the tolerance at alpha 1 %."""
    wrong = sum(find_drift(series([0.52] * 60, 200, 100 + run), HALF, 0.01) is not None for run in range(500))
    assert wrong <= 17


def test_silence_is_no_drift() -> None:
    assert find_drift([], HALF, 0.01) is None
    assert find_drift([(0, 0)] * 100, HALF, 0.01) is None


def test_a_stretch_has_a_share() -> None:
    assert Drift(3, 9, 1, 4).share == 0.25


@pytest.mark.parametrize(
    ("series", "since", "until"),
    [
        ([(50, 100)] * 40 + [(0, 100)] * 5, 40, 45),
        ([(0, 100)] * 5 + [(50, 100)] * 40, 0, 5),
        ([(50, 100)] * 20 + [(80, 100)] * 5 + [(50, 100)] * 20, 20, 25),
    ],
)
def test_the_clearest_change_is_where_it_was(series: list[tuple[int, int]], since: int, until: int) -> None:
    gain, found = clearest_change(series, within(0.5))
    assert gain > 50 and found is not None and (found.since, found.until) == (since, until)


def test_a_steady_share_has_no_change_to_speak_of() -> None:
    assert clearest_change([(45, 100)] * 60, within(0.5))[0] < 0
    assert clearest_change([], within(0.5)) == clearest_change([(1, 2)], within(0.5)) == (0.0, None)
