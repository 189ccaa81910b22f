"""The points of the live page's charts: few, whatever the run lasts, and each of them what the journal says."""

from __future__ import annotations

from itertools import pairwise

from chaos.journal.merge import Merger
from chaos.journal.records import DigestLine
from chaos.protocol.digest import OTHERS, Digest, Key
from chaos.runner.live.history import MOST, MOST_TASKS, NEWEST, History


def half_second(number: int, *tasks: str) -> DigestLine:
    digest = Digest()
    for task in tasks:
        for request in range(3):
            digest.add(Key("", task, "web[0]", "", 200), 1000 + 37 * number + 1000 * request)
    second = number / 2
    return DigestLine(
        at=3.0 + second, second=second, seconds=0.5, lag=0.25, users=4, entries=tuple(digest.entries())
    )  # fmt: skip


def history(lines: list[DigestLine]) -> History:
    made = History()
    for line in lines:
        made.push(line)
    return made


def test_a_point_is_a_second_with_its_own_quantiles() -> None:
    lines = [half_second(number, "home", "cart") for number in range(7)]
    points = history(lines).points
    assert [(point["second"], point["seconds"], point["requests"]) for point in points] == [
        (0.0, 1.0, 12),
        (1.0, 1.0, 12),
        (2.0, 1.0, 12),
    ]
    assert (points[1]["begin"], points[1]["end"], points[1]["users"]) == (3.25, 4.25, 4)
    merger = Merger()
    for line in lines[2:4]:
        merger.push([entry for entry in line.entries if entry["task"] == "cart"])
    (tally,) = merger.digest().tallies.values()
    assert points[1]["tasks"]["cart"] == [6, *tally.latency.quantiles((0.5, 0.99))]


def test_a_day_has_as_many_points_as_ten_minutes_and_none_is_lost() -> None:
    lines = [half_second(number, "home") for number in range(1600)]
    found = history(lines)
    points = found.points
    assert len(points) == MOST
    assert sum(point["requests"] for point in points) == 4_800 == found.tasks[0]["requests"]
    assert all(after["second"] == before["second"] + before["seconds"] for before, after in pairwise(points))
    assert {point["seconds"] for point in points[-NEWEST:]} == {1.0}
    lengths = [point["seconds"] for point in points[: -NEWEST - 2]]
    assert max(lengths) <= 4 * min(lengths), "old ones are about as long as each other"
    whole = Digest.of([entry for line in lines[: int(2 * points[0]["seconds"])] for entry in line.entries])
    (tally,) = whole.tallies.values()
    assert points[0]["tasks"]["home"] == [tally.count, *tally.latency.quantiles((0.5, 0.99))]


def test_the_last_second_is_shown_even_if_it_is_none() -> None:
    found = history([half_second(0, "home")])
    assert found.points == []
    found.close()
    assert [point["seconds"] for point in found.points] == [0.5]


def test_many_names_share_one_line() -> None:
    names = [f"item {number:02}" for number in range(20)]
    found = history([half_second(number, *names) for number in range(2)])
    (point,) = found.points
    assert [*point["tasks"]] == [*names[:MOST_TASKS], OTHERS] == [task["name"] for task in found.tasks]
    assert point["tasks"][OTHERS][0] == (20 - MOST_TASKS) * 6
