"""The requests of a run are numbered; each has an id and a task of its own, whoever sends it."""

from __future__ import annotations

from typing import Any

import pytest
from support.ids import first_ids

from chaos.load.sequence import Sequence
from chaos.protocol.load_plan import BadPlan, Plan

TASKS = [
    {"name": "home", "method": "GET", "url": "http://web/", "weight": 3},
    {"name": "never", "method": "GET", "url": "http://web/never", "weight": 0},
    {"name": "cart", "method": "GET", "url": "http://web/cart", "weight": 1},
]


def plan(**more: Any) -> Plan:
    return Plan.of({"gateway": "http://127.0.0.1:1", "tasks": TASKS, "seed": 3} | more)


def drain(sequence: Sequence) -> list[int]:
    taken = []
    while (number := sequence.take()) is not None:
        taken.append(number)
    return taken


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_processes_share_exactly_the_requests_out(processes: int) -> None:
    taken = [drain(Sequence(plan(requests=23, processes=processes), process)) for process in range(processes)]
    assert sorted(number for numbers in taken for number in numbers) == list(range(23))


def test_ids_are_those_of_the_run() -> None:
    sequence = Sequence(plan(requests=50))
    assert [sequence.request(number)[1] for number in drain(sequence)] == first_ids(3, 50)


def test_tasks_follow_their_weights() -> None:
    """Three to one, never the one of weight 0; 2000 draws are within 5 standard deviations."""
    sequence = Sequence(plan(requests=2000))
    tasks = [sequence.request(number)[0] for number in drain(sequence)]
    assert set(tasks) == {0, 2}
    assert abs(tasks.count(0) - 1500) < 5 * (2000 * 0.75 * 0.25) ** 0.5


def test_what_is_given_back_is_taken_next() -> None:
    sequence = Sequence(plan(requests=3))
    first, second = sequence.take(), sequence.take()
    assert (first, second) == (0, 1)
    sequence.give_back(0)
    assert not sequence.exhausted
    assert drain(sequence) == [0, 2]
    assert sequence.exhausted
    assert sequence.taken == 3


def test_an_open_model_says_when_each_is_due() -> None:
    sequence = Sequence(plan(arrival_rate=50.0))
    assert [sequence.due(number) for number in (0, 1, 100)] == pytest.approx([0.0, 0.02, 2.0])


def test_a_replay_has_its_own_ids_and_ends_with_them() -> None:
    sequence = Sequence(plan(replay=[["cart", "id-1", 5], ["home", "id-2", 7]], requests=None))
    assert [sequence.request(number) for number in drain(sequence)] == [(2, "id-1"), (0, "id-2")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": []}, "no tasks"),
        ({"client": "curl"}, "'curl' is not one of lean, locust"),
        ({"users": 0}, "at least 1"),
        ({"spawn_rate": 0}, "above 0"),
        ({"gateway": "127.0.0.1:80"}, "not an http URL"),
        ({"tasks": [{"name": "a", "method": "GET", "url": "http://x/", "colour": "red"}]}, "the plan is malformed"),
        ({"tasks": [{"name": "a", "method": "GET", "url": "http://x/", "timeout": 0}]}, "timeout above 0"),
        ({"tasks": [{"name": "a", "method": "GET", "url": "https://x/", "direct": True}]}, "client: locust"),
        ({"tasks": [{"name": "a", "method": "GET", "url": "http://x/", "weight": 0}]}, "weight 0"),
        ({"replay": [["nobody", "id", 0]]}, "replay: no task is called 'nobody'"),
    ],
)
def test_plans_that_cannot_be_carried_out_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadPlan, match=message):
        plan(**change)
