"""A gateway that draws once per connection is found out, one that draws per request is not suspected."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from chaos.verify.independence import dependence
from chaos.verify.verdict import Verdict


def pairs_of(connections: list[np.ndarray]) -> list[int]:
    cells = [0, 0, 0, 0]
    for faults in connections:
        for before, after in pairwise(faults):
            cells[2 * int(before) + int(after)] += 1
    return cells


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_draws_per_request_are_independent(share: float) -> None:
    random = np.random.default_rng(11)
    found = dependence(pairs_of([random.random(2000) < share for _ in range(20)]), 0.001)
    assert found.verdict is Verdict.VERIFIED


def test_draws_per_connection_are_not() -> None:
    random = np.random.default_rng(12)
    found = dependence(pairs_of([np.full(20, random.random() < 0.5) for _ in range(20)]), 0.001)
    assert found.verdict is Verdict.FALSIFIED and found.gap == 1


def test_alternation_is_not_independent_either() -> None:
    """Every other request faulted: 50 % exactly, and not at all random."""
    found = dependence(pairs_of([np.arange(200) % 2 == 0 for _ in range(5)]), 0.001)
    assert found.verdict is Verdict.FALSIFIED and found.gap == -1


def test_little_traffic_says_little() -> None:
    assert dependence([3, 2, 2, 1], 0.001).verdict is Verdict.INCONCLUSIVE
    assert dependence([100, 0, 0, 0], 0.001).verdict is Verdict.NO_TRAFFIC


def test_independent_draws_are_suspected_in_at_most_1_run_of_100() -> None:
    """1 000 seeded runs at alpha 1 %, far from the tolerance: never more than chance allows."""
    random = np.random.default_rng(13)
    wrong = 0
    for _ in range(1000):
        after_clean, after_fault = random.binomial(300, 0.5), random.binomial(300, 0.5)
        cells = [300 - after_clean, after_clean, 300 - after_fault, after_fault]
        wrong += dependence([int(cell) for cell in cells], 0.01).verdict is Verdict.FALSIFIED
    assert wrong <= 25
