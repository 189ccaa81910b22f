"""What policies do is said in advance: of a single request, and in the plan of a run."""

from __future__ import annotations

import re

from support import mesh
from support.experiments import experiment, virtual_service
from support.plans import planned, text_of
from support.policies import policy, rules
from support.scripted import gateway, get, upstream

import chaos
from chaos.gateway.process.metrics import prometheus_text
from chaos.protocol.digest import BY_HAND
from chaos.runner.ctl.setting import settings

WEB = text_of(experiment(), virtual_service(abort=50))
CUT = policy("{reset: {}}", name="cut", percentage=30, more="when: {after: 5s, for: 10s}\nmaxActive: 4")
FLAKY = policy("{status: {code: 503}}", name="flaky", percentage=5, more="scope: upstream")
ELSEWHERE = policy("{reset: {}}", name="elsewhere").replace("{host: web}", "{host: web, match: {uri: {exact: /a}}}")
SAID = "30 % of the requests have their connection reset"


def test_an_explanation_names_the_policies_about_a_request_where_they_act():
    asked = chaos.Rules.parse("---\n".join([WEB, CUT, ELSEWHERE, FLAKY]))
    found = chaos.explain(asked, "GET http://web/x")
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
    assert [each.name for each in chaos.explain(asked, "GET http://web/a").policies] == ["cut", "elsewhere", "flaky"]


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


async def test_a_gateway_lists_policies_among_its_faults_and_they_are_set_by_hand():
    route = mesh.virtual_service("- route: [{destination: {host: web}}]")
    tea = policy("{status: {code: 418}}", name="tea", percentage=0)
    async with upstream() as web, gateway(rules(route, tea, port=web.port)) as proxy:
        worker = proxy.worker
        (listed,) = (each for each in worker.faults_in_force()["rules"] if each["key"] == "policy/tea")
        assert listed["name"] == "policy/tea" and listed["hosts"] == ["web.default.svc.cluster.local"]
        assert listed["levels"] == listed["configured"] == {"percentage": 0}
        worker.set_levels({"policy/tea": {"percentage": 100}})
        assert worker.by_hand() == ["policy/tea.percentage=100"]
        assert (await proxy.ask(get())).status == 418
        assert list(worker.counters()["policies"]) == [BY_HAND]
        text = prometheus_text(worker.counters()).decode()
        named = f'phase="{BY_HAND}",policy="tea"'
        assert f'chaos_policy_requests_total{{outcome="met",{named}}} 1.0' in text
        assert f'chaos_policy_requests_total{{outcome="spared",{named}}} 0.0' in text
        (found,) = settings(["policy/tea.percentage=5%"], worker.faults_in_force())
        assert (found.rule["key"], found.level) == ("policy/tea", 5)
        worker.enter("next")
        assert worker.by_hand() == []
        assert (await proxy.ask(get())).status == 200
