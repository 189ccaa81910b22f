"""What a right share can hide: parts with shares of their own, counters instead of dice, memory, coupled faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import log
from typing import Any

import numpy as np
import pytest

from chaos.verify.homogeneity import (
    Range,
    coupled,
    each_own,
    evened,
    kindest,
    odd_one_out,
    regular,
    spread_between,
    successive,
    unequal,
)

Outcomes = np.ndarray[Any, Any]
HALF = Range(0.48, 0.52)
ALPHA = 1e-4
N = 8000


def parts(outcomes: Outcomes, connections: int = 20) -> list[tuple[int, int]]:
    """(k, n) of each connection, requests taking turns on them."""
    return [(int(outcomes[i::connections].sum()), outcomes[i::connections].size) for i in range(connections)]


def blocks(outcomes: Outcomes, size: int) -> Counter[tuple[int, int]]:
    """(k, size) of each whole block of successive requests."""
    whole = outcomes[: outcomes.size // size * size].reshape(-1, size)
    return Counter((int(k), size) for k in whole.sum(axis=1))


def pairs(outcomes: Outcomes) -> list[int]:
    """How often each outcome followed each."""
    before, after = outcomes[:-1], outcomes[1:]
    return [int(((before == first) & (after == second)).sum()) for first in (0, 1) for second in (0, 1)]


def levels(outcomes: Outcomes, recent: int = 128) -> dict[int, list[int]]:
    """[misses, hits] after so many hits among the requests before."""
    level, found = recent / 2, dict[int, list[int]]()
    for hit in outcomes:
        found.setdefault(round(level), [0, 0])[int(hit)] += 1
        level += hit - level / recent
    return found


EVIDENCE: dict[str, Callable[[Outcomes], float]] = {
    "unequal connections": lambda x: unequal(Counter(parts(x)), HALF),
    "an odd connection": lambda x: odd_one_out(parts(x), HALF)[0],
    "shares of their own": lambda x: each_own(parts(x, 3), HALF),
    "unequal blocks": lambda x: unequal(blocks(x, 16), HALF),
    "regular blocks": lambda x: regular(blocks(x, 100), HALF),
    "evening out": lambda x: evened(levels(x), 128, HALF),
    "memory": lambda x: successive(pairs(x), HALF),
}


def dice(random: np.random.Generator, share: float | Outcomes = 0.5, n: int = N) -> Outcomes:
    return (random.random(n) < share).astype(int)


def shares_per_connection(random: np.random.Generator) -> Outcomes:
    return dice(random, np.resize(np.clip(0.5 + 0.1 * random.standard_normal(20), 0, 1), N))


def one_connection_always(random: np.random.Generator) -> Outcomes:
    share = np.full(N, 0.475)
    share[::20] = 1.0
    return dice(random, share)


def by_turns(random: np.random.Generator) -> Outcomes:
    return np.resize([0, 1], N)


def turns_of_40(random: np.random.Generator) -> Outcomes:
    return np.resize(np.repeat([0, 1], 40), N)


def fifty_of_each_hundred(random: np.random.Generator) -> Outcomes:
    return np.concatenate([random.permutation(np.repeat([0, 1], 50)) for _ in range(N // 100)])


def one_of_three_only(random: np.random.Generator) -> Outcomes:
    return dice(random, np.resize([1.0, 0.25, 0.25], N))


WRONG = [
    (one_of_three_only, "shares of their own"),
    (shares_per_connection, "unequal connections"),
    (one_connection_always, "an odd connection"),
    (by_turns, "memory"),
    (turns_of_40, "memory"),
    (turns_of_40, "unequal blocks"),
    (fifty_of_each_hundred, "regular blocks"),
    (fifty_of_each_hundred, "evening out"),
]


@pytest.mark.parametrize(("gateway", "evidence"), WRONG, ids=lambda case: getattr(case, "__name__", case))
def test_a_gateway_that_is_right_on_average_only_is_found_out(gateway: Callable[..., Outcomes], evidence: str) -> None:
    assert EVIDENCE[evidence](gateway(np.random.default_rng(1))) > -log(ALPHA)


@pytest.mark.slow
@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("share", [pytest.param(0.5, marks=pytest.mark.representative), 0.48, 0.52])
def test_dice_are_suspected_in_at_most_alpha_of_all_runs_however_often_they_are_looked_at(
    evidence: str, share: float
) -> None:
    """300 runs, looked at ten times each, at alpha 0.01: more than 14 by chance in one run of 10^6 of this test."""
    random = np.random.default_rng([2, round(share * 100)])
    wrong = 0
    for _ in range(300):
        outcomes = dice(random, share, 2000)
        wrong += any(EVIDENCE[evidence](outcomes[:n]) >= -log(0.01) for n in range(200, 2001, 200))
    assert wrong <= 14


def test_unknown_outcomes_are_no_evidence() -> None:
    """They count as whatever makes the parts most alike, and as claimed."""

    def differ(parts: Sequence[tuple[int, int]]) -> float:
        return each_own(parts, HALF)

    apart = [(400, 1000), (600, 1000)]
    assert kindest(apart, [0, 0], HALF, differ) == (differ(apart), apart)
    assert kindest(apart, [5, 5], HALF, differ)[0] > -log(ALPHA)
    assert kindest(apart, [300, 300], HALF, differ)[0] < 0
    assert kindest([(0, 500), (0, 500)], [500, 500], HALF, differ)[0] < 0


def test_the_spread_of_parts_is_that_beyond_chance() -> None:
    random = np.random.default_rng(5)
    same = Counter(parts(dice(random, 0.5, 40_000)))
    apart = Counter(parts(dice(random, np.resize([0.4, 0.6], 40_000), 40_000)))
    assert spread_between(same) < 0.01 and spread_between(apart) == pytest.approx(0.1, abs=0.01)
    assert spread_between({}) == spread_between({(1, 2): 1}) == 0.0


def test_the_odd_part_is_named() -> None:
    assert odd_one_out([(50, 100), (48, 100), (100, 100), (53, 100)], HALF)[1] == 2


def test_faults_that_come_together_or_never_together_are_coupled() -> None:
    assert coupled([4000, 0, 0, 4000], HALF, HALF) > 1000
    assert coupled([0, 4000, 4000, 0], HALF, HALF) > 1000
    assert coupled([2000, 2000, 2000, 2000], HALF, HALF) < 0


def test_independent_faults_are_rarely_called_coupled() -> None:
    """300 runs at alpha 0.01: more than 14 by chance in one run of 10^6 of this test."""
    random, wrong = np.random.default_rng(3), 0
    for _ in range(300):
        first, second = dice(random, 0.5, 3000), dice(random, 0.2, 3000)
        cells = [int(((first == i) & (second == j)).sum()) for i in (0, 1) for j in (0, 1)]
        wrong += coupled(cells, HALF, Range(0.18, 0.22)) >= -log(0.01)
    assert wrong <= 14


@pytest.mark.parametrize("allowed", [Range(0.0, 0.001), Range(0.999, 1.0), HALF])
def test_nothing_seen_is_no_evidence(allowed: Range) -> None:
    assert unequal({}, allowed) == regular({}, allowed) == successive([0] * 4, allowed) == 0.0
    assert odd_one_out([], allowed) == (0.0, 0) and coupled([0] * 4, allowed, allowed) == 0.0
