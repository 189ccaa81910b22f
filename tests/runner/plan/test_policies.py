"""Policies are refused, where they stand, by what does not carry them out, and where several workers would count."""

from __future__ import annotations

from typing import Any

import pytest
from support.experiments import experiment, virtual_service
from support.plans import FILE, planned, prepared, refusals, text_of
from support.policies import policy

from chaos.errors import InvalidInput
from chaos.runner.plan.engines import Engine, EngineName
from chaos.runner.plan.gateway_rules import GatewayRules, gateway_plan

OWN = text_of(experiment(), virtual_service(abort=50))
COUNTS = "each of the 2 workers would count its own requests; write --workers 1"
ENVOY = Engine(EngineName.ENVOY, "Envoy", ("envoy",), seeded=False, listens=True)
ISTIO = Engine(EngineName.ISTIO, "Istio", ("istio",), seeded=False)


def line(text: str, start: str) -> int:
    """The last line that begins so."""
    return max(number for number, each in enumerate(text.splitlines(), 1) if each.strip().startswith(start))


@pytest.mark.parametrize(
    ("fault", "more", "where"),
    [
        ("{quota: {rate: 5}}", "", "spec.fault.quota"),
        ("{sequence: {first: 5}}", "", "spec.fault.sequence"),
        ("{sequence: {every: 5}}", "", "spec.fault.sequence"),
        ("{reset: {}}", "maxActive: 3", "spec.maxActive"),
    ],
)
def test_several_workers_do_not_count_together(fault: str, more: str, where: str) -> None:
    text = f"{OWN}---\n{policy(fault, more=more)}"
    (told,) = refusals(text, workers=2)
    at = line(text, "maxActive" if more else "fault:")
    assert told.startswith(f"{FILE}:{at}:") and told.endswith(f"{where}: {COUNTS}")
    assert planned(text, workers=1)
    with pytest.raises(InvalidInput, match="would count its own requests"):
        GatewayRules(gateway_plan(prepared(text), workers=2)).compiled()
    with pytest.raises(InvalidInput, match="would count its own requests"):
        GatewayRules(gateway_plan(prepared(OWN), workers=2)).parse(text)


@pytest.mark.parametrize("fault", ["{sequence: {outage: {for: 5s}}}", "{sequence: {ramp: {over: 5s}}}", "{reset: {}}"])
def test_several_workers_agree_about_time_and_shares(fault: str) -> None:
    assert planned(f"{OWN}---\n{policy(fault)}", workers=2)


@pytest.mark.parametrize(
    ("engine", "said"),
    [(ENVOY, "an Envoy does not say which policy a request has met"), (ISTIO, "a mesh has no faults but those of")],
)
def test_other_engines_do_not_carry_them_out(engine: Any, said: str) -> None:
    text = f"{OWN}---\n{policy('{reset: {}}')}"
    (told,) = refusals(text, engine=engine)
    assert told.startswith(f"{FILE}:{line(text, 'fault:')}:11: spec.fault.reset: {said}")
    sent = GatewayRules(gateway_plan(prepared(OWN)), engine.name)
    with pytest.raises(InvalidInput, match=said):
        sent.parse(text)


@pytest.mark.parametrize(
    ("changed", "where", "said"),
    [
        ({"host": "webb"}, "spec.targets[0].host", "nobody routes to webb: no VirtualService and no service has this"),
        ({"more": "when: {phase: storm}"}, "spec.when.phase", "no phase is called storm; the experiment has no phases"),
    ],
)
def test_a_host_or_a_phase_that_there_is_not_is_refused(changed: dict[str, str], where: str, said: str) -> None:
    text = f"{OWN}---\n{policy('{reset: {}}', **changed)}"  # type: ignore[arg-type]
    (told,) = refusals(text)
    assert told.startswith(f"{FILE}:") and f": {where}: {said}" in told
    (found,) = prepared(text).errors
    assert found.code in ("policy-without-host", "policy-without-phase")
    assert found.fix == ("web" if "host" in changed else None)


def test_the_gateway_says_so_too_and_not_of_rules_that_are_sent_to_it() -> None:
    text = f"{OWN}---\n{policy('{reset: {}}', host='other')}"
    with pytest.raises(InvalidInput, match="nobody routes to other"):
        GatewayRules(gateway_plan(prepared(text))).compiled()
    sound = GatewayRules(gateway_plan(prepared(f"{OWN}---\n{policy('{reset: {}}')}")))
    assert sound.parse(text_of(virtual_service(host="shop", route=[{"destination": {"host": "web"}}])))


def test_policies_alone_are_valid_and_a_misspelt_fault_has_its_name_said() -> None:
    assert prepared(policy("{reset: {}}", more="when: {phase: storm}")).problems == ()
    (found,) = prepared(policy("{rest: {}}")).problems
    assert found.path == "spec.fault.rest" and found.fix == "reset"


def test_a_policy_that_no_task_reaches_is_warned_of() -> None:
    aimed = policy("{reset: {}}").replace("{host: web}", "{host: web, match: {uri: {exact: /nowhere}}}")
    (found,) = (each for each in planned(f"{OWN}---\n{aimed}").notes if each.code == "policy-without-task")
    assert found.severity == "warning" and found.path == "spec.targets"
    (reached,) = [planned(f"{OWN}---\n{policy('{reset: {}}')}").notes]
    assert not [each for each in reached if each.code == "policy-without-task"]


def test_phases_may_switch_the_faults_of_policies_alone() -> None:
    phases = [{"name": "calm", "faults": False, "duration": "5s"}, {"name": "storm"}]
    text = text_of(experiment(phases=phases), virtual_service())
    assert planned(f"{text}---\n{policy('{reset: {}}')}")
