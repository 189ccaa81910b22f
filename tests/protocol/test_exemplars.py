"""Which single requests are kept to stand for the others: few, and the same ones however they were counted."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from support.ids import first_ids

from chaos.protocol.digest import NO_RESPONSE, PASSED, Key
from chaos.protocol.exemplars import BY_ID, FIRST, MOST_KINDS, SLOWEST, Exemplar, Exemplars, is_failure

OK, LATE = Key("main", "home", "web[0]", "v1", 200), Key("main", "home", "web[0]", "v1", 200, "delay")
BROKEN, ABORTED = Key("main", "home", "web[0]", "v1", 500), Key("main", "home", "web[0]", "", 503, "abort")
LOST = Key("main", "home", "", "", 0, error="timeout")
KEYS = (OK, LATE, BROKEN, ABORTED, LOST)
IDS = first_ids(5, 200)


def one(number: int, key: Key = BROKEN, micros: int = 1000) -> Exemplar:
    return Exemplar(IDS[number], key, number / 10, micros, "body")


def kept(exemplars: Exemplars) -> set[str]:
    return {each.id for each in exemplars}


def test_of_a_kind_of_failure_the_first_and_the_smallest_ids_stay() -> None:
    found = Exemplars()
    for number in range(200):
        found.add(one(number))
    (shelf,) = found.failures.values()
    assert [each.id for each in shelf.first] == IDS[:FIRST]
    assert [each.id for each in shelf.by_id] == sorted(IDS)[:BY_ID]
    assert shelf.below == sorted(IDS)[BY_ID - 1]


def test_of_a_task_the_slowest_stay_and_the_delayed_ones_apart() -> None:
    found = Exemplars()
    for number in range(200):
        found.add(one(number, OK, micros=number * 7919 % 200))
        found.add(one(number, LATE, micros=5_000_000 + number))
    plain, delayed = (found.slowest_of(key) for key in (OK, LATE))
    assert [each.micros for each in plain.kept] == [199, 198, 197, 196, 195]
    assert plain.above == 195
    assert [each.micros for each in delayed.kept] == [5_000_199 - number for number in range(SLOWEST)]
    assert not found.failures


def test_a_failure_is_what_its_users_did_not_expect() -> None:
    assert [is_failure(key) for key in KEYS] == [False, False, True, True, True]
    expected = [(404, "", PASSED), (200, "", "body"), (0, "reset", NO_RESPONSE), (200, "failed", "")]
    told = [is_failure(Key("", "home", "", "", status, "", 1, error, check)) for status, error, check in expected]
    assert told == [False, True, True, True]


@given(st.lists(st.tuples(st.integers(0, 199), st.sampled_from(KEYS), st.integers(0, 50)), max_size=60), st.data())
def test_what_was_kept_in_parts_and_then_merged_is_what_would_have_been_kept(
    requests: list[tuple[int, Key, int]], data: st.DataObject
) -> None:
    given_once = {number: one(number, key, micros) for number, key, micros in requests}
    whole, parts, merged = Exemplars(), [Exemplars(), Exemplars()], Exemplars()
    told = []
    for request in given_once.values():
        whole.add(request)
        part = data.draw(st.sampled_from(parts))
        part.add(request)
        if data.draw(st.booleans()):
            told.append(json.loads(json.dumps(part.take())))
    told += [part.take() for part in parts]
    for records in data.draw(st.permutations(told)):
        merged.merge(records)
    assert {each.id: each for each in merged} == {each.id: each for each in whole}


def test_each_is_told_once_and_not_when_it_is_kept_no_more() -> None:
    found = Exemplars()
    for number in range(100):
        found.add(one(number, OK, micros=number))
    assert [each["second"] for each in found.take()] == [9.5, 9.6, 9.7, 9.8, 9.9]
    assert found.take() == []
    found.add(one(100, OK, micros=1_000))
    (told,) = found.take()
    assert (told["id"], told["latency"], told["body"]) == (IDS[100], 0.001, "body")


def test_the_number_kept_is_bounded_whatever_differs() -> None:
    found = Exemplars()
    for number in range(2 * MOST_KINDS):
        found.add(one(0, Key("main", f"task {number}", "web[0]", "v1", 500)))
    assert len(found.failures) == len(found.slowest) == MOST_KINDS
    assert not found.shelf_of(Key("main", "another", "web[0]", "v1", 500)).below


def test_requests_without_an_id_are_kept_because_they_came_first() -> None:
    found = Exemplars()
    for number in range(20):
        found.add(Exemplar("", BROKEN, float(number), 10))
    (shelf,) = found.failures.values()
    assert [each.second for each in shelf] == [0.0, 1.0, 2.0]


def test_better_ones_become_rare() -> None:
    """The k-th smallest of n random ids changes about k times while n grows threefold."""
    found, told = Exemplars(), []
    for number, request in enumerate(first_ids(1, 3**8), 1):
        found.add(Exemplar(request, BROKEN, 0.0, 0))
        if 3 ** len(told) == number:
            told.append(len(found.take()))
    assert sum(told[4:]) < 4 * 4 * BY_ID and all(a >= 0 for a, _ in pairwise(told))
