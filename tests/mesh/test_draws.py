"""Draws come from the seed and the request's id, and from nothing else."""

from __future__ import annotations

from itertools import combinations
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from chaos.faults import FaultKind
from chaos.mesh.draws import ABORT, DELAY, FixedDraws, KeyedDraws, keyed_draws

FURTHER = cast(FaultKind, "melt")
IDS = st.binary(min_size=1, max_size=40)


def numbers(draws: KeyedDraws) -> list[float]:
    """Those of every purpose, of a kind of fault too that has none of the four words."""
    mirrors = [draws.mirror(0), draws.mirror(1), draws.mirror(2)]
    return [*map(draws.fault, FaultKind), draws.fault(FURTHER), draws.split, *mirrors]


@given(st.integers(), IDS)
def test_the_same_seed_and_id_give_the_same_draws(seed: int, request_id: bytes) -> None:
    """In whatever order they are asked for, in whatever process."""
    forwards, backwards = keyed_draws(seed)(request_id), keyed_draws(seed)(request_id)
    last_first = [
        backwards.mirror(2),
        backwards.mirror(1),
        backwards.mirror(0),
        backwards.split,
        backwards.fault(FURTHER),
    ]
    assert numbers(forwards) == [*map(backwards.fault, FaultKind), *reversed(last_first)]


@given(st.integers(), IDS)
def test_draws_lie_in_the_unit_interval(seed: int, request_id: bytes) -> None:
    assert all(0.0 <= number < 1.0 for number in numbers(keyed_draws(seed)(request_id)))


def test_a_number_and_its_text_are_the_same_seed() -> None:
    assert numbers(keyed_draws(7)(b"x")) == numbers(keyed_draws("7")(b"x"))


def test_the_draws_of_a_seed_are_the_same_in_every_version() -> None:
    """A run that is repeated with its seed meets the faults that it met."""
    draws = keyed_draws(42)(b"0000-request")
    assert [draws.fault(DELAY), draws.fault(ABORT)] == [0.36758676877485574, 0.6241921178204871]
    assert [draws.split, draws.mirror(0), draws.mirror(1)] == [
        0.5014908159588678,
        0.7958320519765255,
        0.047956966791832256,
    ]


def test_other_seeds_and_other_ids_give_other_draws() -> None:
    draws = keyed_draws(1)
    assert len({draws(b"%d" % each).split for each in range(1000)}) == 1000
    assert len({keyed_draws(seed)(b"x").split for seed in range(1000)}) == 1000


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
    assert [fixed.fault(DELAY), fixed.fault(ABORT), fixed.split] == [0.1, 0.2, 0.3]
    assert [fixed.mirror(0), fixed.mirror(1)] == [0.4, 0.0]
    assert FixedDraws(others={"abort": 0.5}).fault(ABORT) == 0.5
