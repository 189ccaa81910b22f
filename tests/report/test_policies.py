"""Policies on the page: their ledgers, and requests that they answered, changed, or may have ended."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.journals import Scenario, records

from chaos.claims.finding import Finding, Tally
from chaos.journal.result import Result
from chaos.protocol.digest import Key
from chaos.protocol.exemplars import Exemplar, Exemplars
from chaos.protocol.plan_record import PolicyEffect
from chaos.report.data import frames
from chaos.report.tables.exemplars import exemplars
from chaos.report.tables.findings import sections
from chaos.report.tables.policies import policy_ledgers
from chaos.verify.verdict import Verdict

LOST = Key("main", "cart", "", "", 0, error="reset")
ANSWERED = Key("main", "cart", "", "", 429, policy="busy")
CUT = LOST._replace(error="closed", policy="cut,slow")


def effect(name: str, phase: str = "main", **more: object) -> PolicyEffect:
    made: dict[str, object] = {
        "key": f"policy/{name}",
        "name": name,
        "where": "a.yaml:1:1",
        "kind": "reset",
        "sentence": "30 % of the requests have their connection reset",
        "limits": "",
        "share": 0.3,
        "scope": "downstream",
        "errors": ["reset"],
        "ends": True,
        "phase": phase,
        "tasks": ["cart"],
        "on": True,
    }
    return made | more  # type: ignore[return-value]


@pytest.fixture(scope="module")
def result() -> Result:
    read = Result.from_records(records(Scenario(requests=500, seconds=2)))
    assert read.counters is not None
    counts = {"targeted": 1000, "met": 290, "full": 7, "left": 3, "left_met": 1, "preceded": 0}
    finding = Finding("policy/cut#policy", "policy", "reset", Verdict.VERIFIED, rule="policy/cut", phase="main")
    return replace(
        read,
        plan=replace(read.plan, policies=(effect("cut"), effect("cut", "calm", on=False), effect("busy", errors=[]))),
        counters={**read.counters, "policies": {"main": {"cut": counts}}},  # type: ignore[typeddict-item]
        findings=(*read.findings, replace(finding, observed=Tally(280, 990))),
    )


def test_their_ledgers_have_what_was_configured_drawn_and_seen(result: Result) -> None:
    rows = {(row.phase, row.name): row.cells for row in policy_ledgers(result)}
    cut = tuple(cell.replace("\u202f", "") for cell in rows["main", "cut"])
    assert cut == ("1000", "290", "7", "3", "30%", "29.0%", "28.3% of 990")
    assert rows["calm", "cut"][4] == "0\u202f%"
    assert rows["main", "busy"][0] == "\u2013"


def test_their_claims_stand_apart_from_those_of_rules(result: Result) -> None:
    titles = {section.title: [row.title for row in section.rows] for section in sections(result)}
    assert titles["Policies"] == ["reset"] and "reset" not in titles["Rules"]


def test_single_requests_say_which_policy_they_met_or_may_have(result: Result) -> None:
    kept = Exemplars()
    for number, key in enumerate((LOST, ANSWERED, CUT, LOST._replace(error="refused"), LOST._replace(task="other"))):
        kept.add(Exemplar(f"id-{number}", key, 0.1, 1000))
    found = {
        section.title: [(group.title, group.task, group.note) for group in section.groups]
        for section in exemplars(replace(result, exemplars=kept))
    }
    assert sorted(found["Failures that met a policy"]) == [
        ("429", "cart", "policy busy"),
        ("closed", "cart", "policies cut and slow"),
    ]
    assert found["Failures that a policy may have caused"] == [("reset", "cart", "perhaps policy cut")]
    assert sorted(found["Failures that no fault explains"]) == [("refused", "cart", ""), ("reset", "other", "")]


def test_outcomes_are_grouped_by_what_a_policy_did(result: Result) -> None:
    ending = frames.Ending.of(result)
    assert ending.suspects(LOST) == ["cut"]
    assert ending.suspects(LOST._replace(phase="calm")) == []
    assert frames.group(ANSWERED) == frames.BY_POLICY
    assert frames.group(CUT) == frames.ENDED
    assert frames.group(ANSWERED._replace(status=200, route="web[0]")) == frames.TOUCHED
    assert frames.group(ANSWERED._replace(status=503, route="web[0]", fault="abort")) == "aborted"
