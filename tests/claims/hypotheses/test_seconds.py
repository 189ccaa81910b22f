"""How much the latencies of one second are like each other, with a memory that does not grow."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from chaos.claims.hypotheses.measure import Measure
from chaos.claims.hypotheses.seconds import MOST, Seconds
from chaos.protocol.digest import Digest, Key

P50 = Measure("p50", level=0.5, unit="seconds")


def second(random: np.random.Generator, shift: float = 0.0, n: int = 40, lost: int = 0, phase: str = "") -> Digest:
    digest = Digest()
    for value in random.normal(size=n):
        digest.add(Key(phase, "cart", "", "", 200), int(50_000 * np.exp(0.3 * value + shift)))
    for _ in range(lost):
        digest.add(Key("", "cart", "", "", 0, error="refused"), 10)
    return digest


def test_independent_requests_count_nearly_each_by_itself() -> None:
    random, seconds = np.random.default_rng(1), Seconds(P50)
    assert seconds.alike(None) == inf
    for _ in range(200):
        seconds.add(second(random))
    assert 1 <= seconds.alike(0.05) < 3


def test_slow_seconds_beside_quick_ones_are_found() -> None:
    random, seconds = np.random.default_rng(2), Seconds(P50)
    for number in range(200):
        seconds.add(second(random, shift=0.6 if number // 4 % 2 else 0.0))
    assert seconds.alike(0.065) > 20


def test_a_long_run_is_kept_in_few_stretches() -> None:
    random, seconds = np.random.default_rng(3), Seconds(P50)
    for _ in range(5 * MOST + 3):
        seconds.add(second(random, n=8))
    assert len(seconds._phases[""].all) <= MOST + 1
    assert sum(each.total() for each in seconds._phases[""].all) == 8 * (5 * MOST + 3)
    assert 1 <= seconds.alike(0.05) < 3


def test_seconds_without_a_response_are_the_slowest() -> None:
    random, seconds = np.random.default_rng(4), Seconds(P50)
    for number in range(60):
        seconds.add(second(random, lost=40 if number // 6 % 2 else 0))
    assert seconds.alike(None) == pytest.approx(seconds.alike(inf)) and seconds.alike(None) > 10


def test_phases_are_meant_to_differ() -> None:
    random, seconds = np.random.default_rng(5), Seconds(P50)
    for number in range(200):
        slow = number // 50 % 2
        seconds.add(second(random, shift=1.0 if slow else 0.0, phase="fault" if slow else "baseline"))
    assert 1 <= seconds.alike(0.07) < 3


@pytest.mark.parametrize(("storms", "found"), [(False, False), (True, True)])
def test_failures_in_storms_are_no_independent_ones(storms: bool, found: bool) -> None:
    random, seconds = np.random.default_rng(6), Seconds(Measure("failures"))
    for number in range(60):
        share = 0.05 if not storms else 0.24 if number % 10 == 0 else 0.02
        digest, failed = Digest(), int(random.binomial(300, share))
        for each in range(300):
            digest.add(Key("", "cart", "", "", 503 if each < failed else 200), 1000)
        seconds.add(digest)
    assert seconds.alike_in_share() > 3 if found else seconds.alike_in_share() == 1.0
