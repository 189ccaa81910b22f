"""Draws come from the seed and the request's id, and from nothing else."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from chaos.mesh.draws import FixedDraws, KeyedDraws, keyed_draws

IDS = st.binary(min_size=1, max_size=40)


def numbers(draws: KeyedDraws) -> list[float]:
    return [draws.delay, draws.abort, draws.split, draws.mirror(0), draws.mirror(1), draws.mirror(2)]


@given(st.integers(), IDS)
def test_the_same_seed_and_id_give_the_same_draws(seed: int, request_id: bytes) -> None:
    """In whatever order they are asked for, in whatever process."""
    forwards, backwards = keyed_draws(seed)(request_id), keyed_draws(seed)(request_id)
    last_first = [backwards.mirror(2), backwards.mirror(1), backwards.mirror(0), backwards.split]
    assert numbers(forwards) == [backwards.delay, backwards.abort, *reversed(last_first)]


@given(st.integers(), IDS)
def test_draws_lie_in_the_unit_interval(seed: int, request_id: bytes) -> None:
    assert all(0.0 <= number < 1.0 for number in numbers(keyed_draws(seed)(request_id)))


def test_a_number_and_its_text_are_the_same_seed() -> None:
    assert numbers(keyed_draws(7)(b"x")) == numbers(keyed_draws("7")(b"x"))


def test_other_seeds_and_other_ids_give_other_draws() -> None:
    draws = keyed_draws(1)
    assert len({draws(b"%d" % each).delay for each in range(1000)}) == 1000
    assert len({keyed_draws(seed)(b"x").delay for seed in range(1000)}) == 1000


def test_draws_are_uniform_and_purposes_independent() -> None:
    """Over 20 000 ids each purpose has the mean of a uniform number and no pair is correlated (6 sigma: 1 in 5e8)."""
    draws = keyed_draws(2024)
    rows = [numbers(draws(b"request-%d" % each)) for each in range(20_000)]
    columns = list(zip(*rows, strict=True))
    for column in columns:
        assert abs(sum(column) / len(column) - 0.5) < 6 * (1 / 12 / len(column)) ** 0.5
    for left, right in combinations(columns, 2):
        covariance = sum((a - 0.5) * (b - 0.5) for a, b in zip(left, right, strict=True)) / len(left)
        assert abs(covariance) < 6 / 12 / len(left) ** 0.5


def test_fixed_draws_are_what_was_given() -> None:
    fixed = FixedDraws(0.1, 0.2, 0.3, (0.4,))
    assert (fixed.delay, fixed.abort, fixed.split, fixed.mirror(0), fixed.mirror(1)) == (0.1, 0.2, 0.3, 0.4, 0.0)
