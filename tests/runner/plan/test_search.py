"""A search as a run: which levels are phases, when each ends, and which searches are refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from support.experiments import experiment, virtual_service
from support.plans import FILE, planned, refusals, text_of

from chaos.runner.plan.phases import RunPhase, Stop
from chaos.runner.plan.run_plan import RunPlan
from chaos.runner.plan.search import SearchPlan

FAULT = {
    "abort": {"percentage": {"value": 1}, "httpStatus": 503},
    "delay": {"percentage": {"value": 1}, "fixedDelay": "1s"},
}
ABORT: dict[str, Any] = {"vary": "web.abort", "from": 0, "to": 80, "hold": "failures < 20%"}
DELAY: dict[str, Any] = {"vary": "web.fixedDelay", "from": "100ms", "to": "2s", "hold": "p99 < 1s"}


def run_plan(search: dict[str, Any], **spec: Any) -> RunPlan:
    return planned(text_of(experiment(search=search, **spec), virtual_service(fault=FAULT)))


def search_plan(search: dict[str, Any], **spec: Any) -> SearchPlan:
    found = run_plan(search, **spec).search
    assert found is not None
    return found


def test_a_run_that_searches_for_nothing_has_no_search() -> None:
    assert planned(text_of(experiment(), virtual_service(abort=1))).search is None


def test_it_tries_levels_of_the_range_with_the_runs_confidence() -> None:
    search = search_plan(ABORT | {"resolution": "5%"}, verify={"confidence": 95}).search()
    assert (search.start, search.to, search.resolution, search.confidence) == (0.0, 80.0, 5.0, 0.95)
    assert search.next() == 0.0


LEVELS = [
    (ABORT, 12.5, "abort-12.5%", ("web.abort", 12.5)),
    (ABORT | {"vary": "web.delay"}, 40.0, "delay-40%", ("web.delay", 40.0)),
    (DELAY, 0.25, "fixedDelay-250ms", ("web.fixedDelay", 0.25)),
]


@pytest.mark.parametrize(("search", "level", "name", "vary"), LEVELS)
def test_a_level_is_a_phase_of_its_own_named_after_it(
    search: dict[str, Any], level: float, name: str, vary: tuple[str, float]
) -> None:
    assert search_plan(search).phase(level) == RunPhase(name, True, Stop(True, 30.0, None), vary=vary)


def test_a_level_has_the_rules_with_that_fault_and_the_rest_as_it_was() -> None:
    found = run_plan(DELAY)
    assert found.search is not None
    (document,) = yaml.safe_load_all(found.level(found.search, 0.25).text or "")
    fault = document["spec"]["http"][0]["fault"]
    assert fault == FAULT | {"delay": {"percentage": {"value": 1}, "fixedDelay": "250ms"}}


STOPS = [
    ({}, Stop(True, 30.0, None)),
    ({"duration": "4s"}, Stop(True, 4.0, None)),
    ({"requests": 500}, Stop(True, 30.0, 500)),
    ({"duration": "4s", "requests": 500}, Stop(True, 4.0, 500)),
]


@pytest.mark.parametrize(("load", "stop"), STOPS, ids=str)
def test_a_level_ends_when_it_is_decided_or_after_the_loads_time(load: dict[str, Any], stop: Stop) -> None:
    assert search_plan(ABORT, load=load).phase(3.0).stop == stop


def search_of(text: str) -> str:
    head = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n  search:\n    "
    return head + text.replace("; ", "\n    ") + "\n---\n" + text_of(virtual_service(fault=FAULT))


HOLD = "hold: failures < 20%"
REFUSED = [
    (f"vary: web.speed; from: 0; to: 9; {HOLD}", "5:11: spec.search.vary: 'web.speed' cannot be varied"),
    (f"vary: shop.abort; from: 0; to: 9; {HOLD}", "5:11: spec.search.vary: no rule of shop has a fault.abort"),
    (
        f"vary: web.abort; from: 1s; to: 9; {HOLD}",
        "6:11: spec.search.from: '1s': abort varies by a percentage, like 60",
    ),
    (f"vary: web.abort; from: 0; to: 2s; {HOLD}", "7:9: spec.search.to: '2s': abort varies by a percentage, like 60"),
    (f"vary: web.delay; from: 0; to: 9; {HOLD}; resolution: 1s", "9:17: spec.search.resolution: '1s': delay varies by"),
    (
        f"vary: web.fixedDelay; from: 100ms; to: 60; {HOLD}",
        "7:9: spec.search.to: 60: fixedDelay varies by a duration, like 500ms",
    ),
    (f"vary: web.abort; from: 9; to: 9; {HOLD}", "4:3: spec.search: a search goes from a smaller to a larger level"),
    (f"vary: web.abort; from: 0; to: 9; {HOLD}; resolution: 9", "4:3: spec.search: a search's resolution is positive"),
    (
        "vary: web.abort; from: 0; to: 9; hold: failurs < 20%",
        "8:11: spec.search.hold: unknown metric 'failurs'; did you mean 'failures'?",
    ),
]


@pytest.mark.parametrize(("search", "problem"), REFUSED)
def test_what_cannot_be_searched_is_told_at_its_line(search: str, problem: str) -> None:
    (told,) = refusals(search_of(search))
    assert told.startswith(f"{FILE}:{problem}")


def test_everything_that_is_wrong_with_a_range_is_told_at_once() -> None:
    assert len(refusals(search_of(f"vary: web.abort; from: 3s; to: 2s; {HOLD}; resolution: 1s"))) == 4
