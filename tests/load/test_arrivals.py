"""Requests of an open model fall due evenly, or as a Poisson process; each at a time of its own, whoever sends it."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from scipy import stats
from support.load import plan, run
from support.origin import Asked, Origin, ok

from chaos.load.arrivals import BLOCK, Even, Poisson, arrivals_of
from chaos.load.sequence import Sequence
from chaos.protocol.load_plan import BadPlan, Plan

RATE = 250.0


def test_even_arrivals_are_one_interval_apart() -> None:
    assert [Even(50.0).due(number) for number in (0, 1, 100)] == [0.0, 0.02, 2.0]
    assert Even(None).due(7) == 0.0


def test_the_gaps_of_a_poisson_process_are_exponential_and_independent() -> None:
    """10 000 of a fixed seed: by Kolmogorov and Smirnov, in their mean, and from each to the next."""
    arrivals = Poisson(RATE, 1)
    times = [arrivals.due(number) for number in range(10_000)]
    gaps = [times[0], *(after - before for before, after in pairwise(times))]
    assert stats.kstest(gaps, "expon", args=(0, 1 / RATE)).pvalue > 0.001
    assert abs(sum(gaps) * RATE / len(gaps) - 1) < 4 / len(gaps) ** 0.5
    assert abs(stats.pearsonr(gaps[:-1], gaps[1:]).statistic) < 4 / len(gaps) ** 0.5


def test_a_time_follows_from_number_and_seed_alone() -> None:
    numbers = [random.Random(5).randrange(5 * BLOCK) for _ in range(300)]
    in_order = Poisson(RATE, 7)
    times = {number: in_order.due(number) for number in range(5 * BLOCK)}
    anew = Poisson(RATE, 7)
    assert [anew.due(number) for number in numbers] == [times[number] for number in numbers]
    assert Poisson(RATE, 8).due(0) != times[0]
    assert all(before < after for before, after in pairwise(times.values()))


def test_processes_agree_on_the_times() -> None:
    wanted = Plan.of(plan("http://127.0.0.1:1", arrival_rate=RATE, arrivals="poisson", processes=2))
    first, second = Sequence(wanted, 0), Sequence(wanted, 1)
    assert [first.due(number) for number in range(9)] == [second.due(number) for number in range(9)]


def test_a_plan_knows_two_kinds() -> None:
    assert isinstance(arrivals_of("even", 1.0, 1), Even)
    with pytest.raises(BadPlan, match="arrivals: 'uniform' is not one of even, poisson"):
        Plan.of(plan("http://127.0.0.1:1", arrivals="uniform"))


async def fine(asked: Asked, writer: object) -> None:
    writer.write(ok(asked))  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("client", ["lean", "locust"])
def test_a_load_sends_no_request_before_it_is_due(client: str) -> None:
    open_model = {"arrival_rate": 100.0, "arrivals": "poisson"}
    with Origin(fine) as origin:
        load = run(plan(origin.url, users=30, requests=120, client=client, **open_model))
    done = load.lines[-1]
    assert (done["reason"], done["requests"]) == ("requests", 120)
    assert done["seconds"] >= Poisson(100.0, 7).due(119)


@pytest.mark.slow
@pytest.mark.parametrize("client", ["lean", "locust"])
@pytest.mark.parametrize("keep_alive", [True, False])
def test_every_request_has_a_connection_of_its_own_if_wanted(client: str, keep_alive: bool) -> None:
    """Also if the server would keep it open."""
    with Origin(fine) as origin:
        load = run(plan(origin.url, users=3, requests=90, keep_alive=keep_alive, client=client))
    assert load.lines[-1]["requests"] == 90 and load.lines[-1]["errors"] == {}
    assert origin.connections == (3 if keep_alive else 90)
    asked_to_close = {each.headers.get("connection", "") == "close" for each in origin.asked}
    assert asked_to_close == {not keep_alive}
