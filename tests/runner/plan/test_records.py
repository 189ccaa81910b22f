"""What the journal is told of the plan, as plain values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.faults import aborting, delaying

from chaos.claims.effects import Effect, PhaseEffects
from chaos.claims.kinds.abort import AbortClaim
from chaos.errors import Location, Problem
from chaos.runner.plan.forecast import RuleForecast
from chaos.runner.plan.records import environment, expectation_json, note_json

EFFECT = Effect(
    key="virtualservice/default/web/0",
    name="web[0]",
    where="case.yaml:7:5",
    tasks=("home",),
    faults=(delaying(0.5, 2.0), aborting(0.25, 503)),
    destinations=(("web:80/v1", 0.9), ("web:80/v2", 0.1)),
    mirrors=(("copy:80", 1.0),),
    timeout=3.0,
)


def outcomes(told: dict[str, Any]) -> list[tuple[float, int | None, str, str]]:
    return [(each["share"], each["status"], each["fault"], each["destination"]) for each in told["outcomes"]]


def test_an_effect_has_its_shares_and_all_its_outcomes() -> None:
    told = RuleForecast.of(PhaseEffects("fault", (EFFECT,)), EFFECT).to_dict()
    plain = json.loads(json.dumps(told))
    assert {name: value for name, value in plain.items() if name != "outcomes"} == {
        "phase": "fault",
        "key": "virtualservice/default/web/0",
        "name": "web[0]",
        "where": "case.yaml:7:5",
        "tasks": ["home"],
        "faults": [
            {"kind": "delay", "share": 0.5, "parameters": {"seconds": 2.0}},
            {"kind": "abort", "share": 0.25, "parameters": {"status": 503, "grpc_status": None}},
        ],
        "destinations": [["web:80/v1", 0.9], ["web:80/v2", 0.1]],
        "mirrors": [["copy:80", 1.0]],
        "timeout": 3.0,
        "reply": None,
        "reply_status": 0,
    }
    assert sum(share for share, *_ in outcomes(told)) == pytest.approx(1.0)
    assert (0.125, 503, "delay,abort", "") in outcomes(told)


def test_with_faults_off_an_effect_has_neither_shares_nor_faulted_outcomes() -> None:
    told = RuleForecast.of(PhaseEffects("before", (EFFECT,), faults=False), EFFECT).to_dict()
    assert told["faults"] == []
    assert outcomes(told) == [(0.9, None, "", "web:80/v1"), (0.1, None, "", "web:80/v2")]


def test_a_rule_that_others_reach_has_no_tasks() -> None:
    anyone = Effect("k", "web[0]")
    assert RuleForecast.of(PhaseEffects("", (anyone,)), anyone).to_dict()["tasks"] is None


def abort(**about: Any) -> AbortClaim:
    return AbortClaim(id="1", title="abort 503", status=503, **about)


def test_an_expectation_has_its_target_and_whose_requests_count() -> None:
    found = abort(
        rule="k", rule_name="web[0]", where="a.yaml:1:1", phase="fault", tasks=("home",), share=0.5, tolerance=0.02
    )
    assert expectation_json(found) == {
        "id": "1",
        "kind": "abort",
        "title": "abort 503",
        "rule": "k",
        "rule_name": "web[0]",
        "where": "a.yaml:1:1",
        "phase": "fault",
        "tasks": ["home"],
        "share": 0.5,
        "tolerance": 0.02,
    }


def test_a_note_has_its_place_and_its_code() -> None:
    assert note_json(Problem(Location("a.yaml", 3, 5), "spec.http[1]", "never taken", "warning", "IST0130")) == {
        "severity": "warning",
        "where": "a.yaml:3:5",
        "path": "spec.http[1]",
        "message": "never taken",
        "code": "IST0130",
    }


def test_the_surroundings_are_this_machines() -> None:
    told = environment()
    assert set(told) == {"chaos", "python", "platform", "machine", "cpus", "host"}
    assert told["cpus"] >= 1 and told["python"].startswith("3.")
