"""The phases of a run: when each ends, and which a ramp becomes."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from chaos.experiment.model import Load, Phase, Ramp, Spec
from chaos.runner.plan.phases import RunPhase, Stop, phases_of, stop_of

# what is said of the end, when it is, and the seconds after which it is at the latest
ENDS: list[tuple[dict[str, Any], Stop, float]] = [
    ({}, Stop(decided=True), 300.0),
    ({"until": "decided"}, Stop(decided=True), 300.0),
    ({"duration": "5s"}, Stop(decided=False, duration=5.0), 5.0),
    ({"requests": 10}, Stop(decided=False, requests=10), inf),
    ({"duration": "5s", "requests": 10}, Stop(decided=False, duration=5.0, requests=10), 5.0),
    ({"until": "decided", "duration": "10m"}, Stop(decided=True, duration=600.0), 600.0),
    ({"until": "decided", "requests": 10}, Stop(decided=True, requests=10), inf),
]


@pytest.mark.parametrize(("said", "stop", "limit"), ENDS, ids=str)
def test_a_phase_ends_when_it_says_so_or_else_once_everything_is_decided(
    said: dict[str, Any], stop: Stop, limit: float
) -> None:
    for item in (Load(**said), Phase(name="a", **said)):
        assert stop_of(item) == stop
        assert stop_of(item).limit == limit


def test_a_run_without_phases_is_one_phase_without_a_name() -> None:
    assert phases_of(Spec(load=Load(requests=7))) == (RunPhase("", True, Stop(False, None, 7)),)


LOAD = Load(requests=7)
OWN_END: list[tuple[dict[str, Any], Stop]] = [
    ({}, Stop(False, None, 7)),
    ({"duration": "2s"}, Stop(False, 2.0, None)),
    ({"requests": 3}, Stop(False, None, 3)),
    ({"until": "decided"}, Stop(True, None, None)),
]


@pytest.mark.parametrize(("said", "stop"), OWN_END, ids=str)
def test_a_phase_takes_the_loads_end_unless_it_says_something_of_its_own(said: dict[str, Any], stop: Stop) -> None:
    (phase,) = phases_of(Spec(load=LOAD, phases=(Phase(name="a", **said),)))
    assert phase.stop == stop


def test_phases_keep_their_order_their_faults_and_their_rules() -> None:
    phases = (Phase(name="before", faults=False), Phase(name="fault", rules=("other.yaml",)), Phase(name="after"))
    assert [(each.name, each.faults, each.rules, each.vary, each.text) for each in phases_of(Spec(phases=phases))] == [
        ("before", False, (), None, None),
        ("fault", True, ("other.yaml",), None, None),
        ("after", True, (), None, None),
    ]


RAMPS = [
    ((0, 100, 3), [("up-0", 0.0), ("up-50", 50.0), ("up-100", 100.0)]),
    ((100, 0, 2), [("up-100", 100.0), ("up-0", 0.0)]),
    ((0, 1, 4), [("up-0", 0.0), ("up-0.3333", 0.3333), ("up-0.6667", 0.6667), ("up-1", 1.0)]),
]


@pytest.mark.parametrize(("ramp", "steps"), RAMPS, ids=str)
def test_a_ramp_is_a_phase_for_each_of_its_steps_named_after_the_level(
    ramp: tuple[float, float, int], steps: list[tuple[str, float]]
) -> None:
    start, to, count = ramp
    phase = Phase(
        name="up", requests=5, rules=("r.yaml",), ramp=Ramp(vary="web.abort", **{"from": start}, to=to, steps=count)
    )
    assert phases_of(Spec(phases=(phase,))) == tuple(
        RunPhase(name, True, Stop(False, None, 5), ("r.yaml",), ("web.abort", level)) for name, level in steps
    )
