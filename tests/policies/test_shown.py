"""What policies do is said in advance: of a single request, and in the plan of a run."""

from __future__ import annotations

import re

from support.experiments import experiment, virtual_service
from support.plans import planned, text_of
from support.policies import policy

import chaos

WEB = text_of(experiment(), virtual_service(abort=50))
CUT = policy("{reset: {}}", name="cut", percentage=30, more="when: {after: 5s, for: 10s}\nmaxActive: 4")
FLAKY = policy("{status: {code: 503}}", name="flaky", percentage=5, more="scope: upstream")
ELSEWHERE = policy("{reset: {}}", name="elsewhere").replace("{host: web}", "{host: web, match: {uri: {exact: /a}}}")
SAID = "30 % of the requests have their connection reset"


def test_an_explanation_names_the_policies_about_a_request_where_they_act():
    rules = chaos.Rules.parse("---\n".join([WEB, CUT, ELSEWHERE, FLAKY]))
    found = chaos.explain(rules, "GET http://web/x")
    lines = str(found).splitlines()
    cut = next(at for at, line in enumerate(lines) if line.startswith("policy    cut"))
    assert lines[cut].startswith(f"policy    cut: {SAID}, from 5s on, for 10s, at most 4 at a time  rules.yaml:")
    assert lines[cut + 1 : cut + 3] == [
        "of the requests that no policy ends:",
        "abort     50 % of the requests get 503",
    ]
    retries = next(at for at, line in enumerate(lines) if line.startswith("retries"))
    assert lines[retries + 1].startswith("policy    flaky: 5 % of the attempts get 503  rules.yaml:")
    told = found.to_dict()["policies"]
    assert [(each["name"], each["share"], each["scope"]) for each in told] == [
        ("cut", 0.3, "downstream"),
        ("flaky", 0.05, "upstream"),
    ]
    assert [each.name for each in chaos.explain(rules, "GET http://web/a").policies] == ["cut", "elsewhere", "flaky"]


def test_a_plan_lists_the_policies_of_each_phase_with_their_tasks():
    text = text_of(experiment(phases=[{"name": "calm", "faults": False}, {"name": "storm"}]), virtual_service(abort=50))
    storm = policy("{reset: {}}", name="cut", percentage=30, more="when: {phase: storm}")
    plan = planned("---\n".join([text, storm, FLAKY]))
    forecast = plan.forecast()
    said = re.sub(r" {3}case\.yaml:\d+:5|   case\.yaml:\d+:18", "", str(forecast))
    assert f"\nstorm: policy cut\n  requests: web[0]\n  {SAID}, in phase storm\n" in said
    assert "\nstorm: web[0]\n  requests: web[0], what policies let pass\n" in said
    assert "\ncalm: web[0]\n  requests: web[0]\n" in said
    assert "5 % of the attempts get 503 (faults are off)" in said
    told = [(each["phase"], each["name"], each["on"]) for each in forecast.to_dict()["policies"]]
    assert told == [("calm", "flaky", False), ("storm", "cut", True), ("storm", "flaky", True)]
    assert plan.plan_record("run").policies == forecast.policies
