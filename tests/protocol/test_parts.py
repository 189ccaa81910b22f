"""Counts by user and in the order of sending: small, and the same however they are merged."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis.strategies import builds, integers, lists, sampled_from, tuples

from chaos.protocol.digest import Key
from chaos.protocol.parts import LOST, Drawn, Met, Parts, Turn, to

OK, OTHER = Key("", "home", "web[0]", "v1", 200), Key("", "home", "web[0]", "v2", 200)
ABORTED, BOTH = Key("", "home", "web[0]", "", 503, "abort"), Key("", "cart", "web[0]", "", 503, "delay,abort")
LATE, GONE = Key("", "home", "web[0]", "v1", 200, "delay"), Key("", "home", "", "", 0, error="reset")
KEYS = sampled_from([OK, OTHER, ABORTED, BOTH, LATE])


def counted(
    users: Iterable[tuple[Key, int]], blocks: Iterable[list[Key]], levels: Iterable[tuple[int, int, int]] = ()
) -> Parts:
    made = Parts()
    for level, misses, hits in levels:
        made.levels.setdefault(Turn("sent", "", "web[0]", "abort"), {})[level] = [misses, hits]
    for key, user in users:
        made.add_user(key, user)
    for block in blocks:
        made.add_block((key, 1) for key in block)
        for before, after in pairwise(block):
            made.add_turn("sent", before, after)
    return made


PARTS = builds(
    counted,
    lists(tuples(KEYS, integers(0, 63)), max_size=20),
    lists(lists(KEYS, max_size=12), max_size=4),
    lists(tuples(integers(0, 256), integers(0, 9), integers(0, 9)), max_size=4),
)


@given(made=PARTS)
def test_parts_survive_the_journal(made: Parts) -> None:
    assert Parts.of(json.loads(json.dumps(made.record()))) == made


@given(a=PARTS, b=PARTS)
def test_merging_adds_up_in_any_order(a: Parts, b: Parts) -> None:
    first, second = Parts(), Parts()
    for total, order in ((first, (a, b)), (second, (b, a))):
        for each in order:
            total.merge(each)
    assert first == second
    assert all(sum(users.values()) >= 1 for users in first.users.values())


def test_users_are_counted_by_what_they_met_and_lost_responses_by_themselves() -> None:
    made = counted([(OK, 0), (OK, 0), (ABORTED, 1), (GONE, 1)], [])
    assert made.users == {
        Met("", "web[0]", "", "v1"): {0: 2},
        Met("", "web[0]", "abort", ""): {1: 1},
        Met("", "", LOST, ""): {1: 1},
    }


def test_a_block_has_the_hits_of_each_draw_and_those_without_a_hit_are_known() -> None:
    made = counted([], [[OK, ABORTED, BOTH, OTHER], [OK, OK, OK, OK]])
    assert made.of_blocks(Drawn("", "web[0]", "abort")) == {(0, 4): 1, (2, 4): 1}
    assert made.of_blocks(Drawn("", "web[0]", "delay")) == {(0, 4): 1, (1, 4): 1}
    assert made.of_blocks(Drawn("", "web[0]", to("v1"))) == {(1, 2): 1, (4, 4): 1}
    assert made.of_blocks(Drawn("", "web[0]", to("v2"))) == {(0, 4): 1, (1, 2): 1}


def test_neighbours_are_compared_by_each_draw_and_destinations_among_those_forwarded() -> None:
    made = counted([], [[OK, OTHER, ABORTED, BOTH, OK, OK]])
    assert made.cells(Turn("sent", "", "web[0]", "abort")) == [2, 1, 1, 1]
    assert made.cells(Turn("sent", "", "web[0]", to("v1"))) == [0, 0, 1, 1]
    assert made.cells(Turn("sent", "", "web[0]", to("v3"))) == [2, 0, 0, 0]
    assert made.cells(Turn("connection", "", "web[0]", "abort")) == [0, 0, 0, 0]


def test_the_size_does_not_depend_on_the_number_of_requests() -> None:
    few, many = counted([(OK, 0)], [[OK, ABORTED] * 8] * 2), counted([(OK, 0)] * 5000, [[OK, ABORTED] * 8] * 300)
    assert len(json.dumps(many.record())) < len(json.dumps(few.record())) + 20
