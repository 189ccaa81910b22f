"""Ids are functions of the seed and the request's number."""

from __future__ import annotations

import re
from uuid import UUID

from support.ids import first_ids

from chaos.journal.identity import Identities, request_id, sampled

COUNT = 20_000


def test_ids_are_random_uuids_and_differ() -> None:
    ids = first_ids(1, COUNT)
    assert len(set(ids)) == COUNT
    assert all(re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", each) for each in ids[:100])
    assert {(UUID(each).version, UUID(each).variant) for each in ids[:100]} == {(4, "specified in RFC 4122")}


def test_the_same_seed_repeats_and_another_does_not() -> None:
    assert first_ids(1, 100) == first_ids(1, 100)
    assert not set(first_ids(1, COUNT)) & set(first_ids(2, COUNT))
    assert request_id(5, 7) == first_ids(5, 8)[7]


def test_samples_have_the_size_asked_for_and_contain_the_smaller_ones() -> None:
    ids = first_ids(9, COUNT)
    tenth = {each for each in ids if sampled(each, 0.1)}
    assert abs(len(tenth) - COUNT / 10) < 5 * (COUNT * 0.09) ** 0.5
    assert {each for each in ids if sampled(each, 0.01)} < tenth
    assert all(sampled(each, 1) for each in ids)
    assert not any(sampled(each, 0) for each in ids)


def test_task_draws_are_uniform_repeat_and_do_not_follow_the_sample() -> None:
    """Who picks a task looks at other bits than who picks a sample."""
    made = [Identities(3)(number) for number in range(COUNT)]
    assert made[:50] == [Identities(3)(number) for number in range(50)]
    assert all(0 <= draw < 1 for _, draw in made)
    for some in (made, [each for each in made if sampled(each[0], 0.3)]):
        below = sum(draw < 0.3 for _, draw in some)
        assert abs(below - len(some) * 0.3) < 5 * (len(some) * 0.21) ** 0.5
