"""The rules of a phase: the experiment's own, those of other files, or the same at another fault level."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from support.experiments import experiment, virtual_service, write
from support.plans import FILE, prepared, text_of

from chaos.errors import InvalidInput
from chaos.faults import AbortFault
from chaos.mesh.compile.rules import Rules
from chaos.runner.plan.checked import Prepared, prepare
from chaos.runner.plan.gateway_rules import compiled, gateway_plan
from chaos.runner.plan.phase_rules import PhaseRules, own_values, with_rules
from chaos.runner.plan.phases import RunPhase
from chaos.units import Percent

OWN = text_of(experiment(), virtual_service(abort=50))


def rules_of(plan: Prepared, phase: RunPhase) -> tuple[Rules, PhaseRules]:
    """The experiment's own rules, and what the phase has."""
    own = compiled(plan, gateway_plan(plan))
    return own, with_rules(plan, phase, own, ("spec", "phases", 0))


def aborts(rules: Rules) -> list[tuple[int, Percent | None]]:
    found = [info.fault(AbortFault) for info in rules.rules if not info.is_default]
    return [(each.status, each.percent) if each is not None else (0, None) for each in found]


@pytest.mark.parametrize("faults", [True, False])
def test_a_phase_that_changes_nothing_has_the_very_rules_of_the_experiment(faults: bool) -> None:
    """Whether faults are on is a switch of the gateway's, not another set of rules."""
    phase = RunPhase("a", faults=faults)
    own, found = rules_of(prepared(OWN), phase)
    assert found.phase is phase
    assert found.rules is own


def test_a_level_is_the_experiments_documents_with_another_number() -> None:
    own, found = rules_of(prepared(OWN), RunPhase("up-5", vary=("web.abort", 5.0)))
    assert aborts(own) == [(503, Percent.of(50))]
    assert aborts(found.rules) == [(503, Percent.of(5))]
    (document,) = yaml.safe_load_all(found.phase.text or "")
    assert document["spec"]["http"][0]["fault"]["abort"]["percentage"] == {"value": 5.0}


def test_what_is_in_force_are_the_istio_documents_alone() -> None:
    assert [document["kind"] for document in own_values(prepared(OWN))] == ["VirtualService"]


def test_a_level_of_a_fault_that_no_rule_has_is_refused_where_the_phase_stands() -> None:
    text = (
        "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n  phases:\n"
        "  - {name: up, ramp: {vary: web.delay, from: 0, to: 9}}\n---\n" + text_of(virtual_service(abort=50))
    )
    with pytest.raises(InvalidInput) as refused:
        rules_of(prepared(text), RunPhase("up-0", vary=("web.delay", 0.0)))
    assert str(refused.value).startswith(
        f"{FILE}:5:5: spec.phases[0]: no rule of web has a fault.delay that could vary"
    )


def test_rules_of_other_files_replace_the_experiments(tmp_path: Path) -> None:
    write(tmp_path, virtual_service(abort=100, status=418), name="teapot.yaml")
    plan = prepare([write(tmp_path, experiment(), virtual_service(abort=50))])
    _, found = rules_of(plan, RunPhase("teapot", rules=("teapot.yaml",)))
    assert aborts(found.rules) == [(418, Percent.of(100))]


def test_rules_of_other_files_can_be_varied_too(tmp_path: Path) -> None:
    write(tmp_path, virtual_service(abort=100, status=418), name="teapot.yaml")
    plan = prepare([write(tmp_path, experiment(), virtual_service(abort=50))])
    _, found = rules_of(plan, RunPhase("teapot-7", rules=("teapot.yaml",), vary=("web.abort", 7.0)))
    assert aborts(found.rules) == [(418, Percent.of(7))]


def test_an_experiment_in_such_a_file_changes_nothing_but_the_rules(tmp_path: Path) -> None:
    write(tmp_path, experiment(seed=9), virtual_service(abort=100, status=418), name="teapot.yaml")
    plan = prepare([write(tmp_path, experiment(), virtual_service(abort=50))])
    _, found = rules_of(plan, RunPhase("teapot", rules=("teapot.yaml",)))
    assert [document["kind"] for document in yaml.safe_load_all(found.phase.text or "")] == ["VirtualService"]


REFUSED = [
    ("spec: {}", "teapot.yaml:1:1: "),
    (text_of(virtual_service(abort=101)), "teapot.yaml:12:18: spec.http[0].fault.abort.percentage.value: 101"),
    (None, "teapot.yaml:1:1: there is no such file"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED)
def test_what_is_wrong_in_such_a_file_is_told_at_its_own_line(tmp_path: Path, text: str | None, problem: str) -> None:
    plan = prepare([write(tmp_path, experiment(), virtual_service(abort=50))])
    if text is not None:
        (tmp_path / "teapot.yaml").write_text(text)
    with pytest.raises(InvalidInput) as refused:
        rules_of(plan, RunPhase("teapot", rules=("teapot.yaml",)))
    assert str(refused.value).startswith(f"{tmp_path}/{problem}")
