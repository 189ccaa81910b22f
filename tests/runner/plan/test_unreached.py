"""A fault that no request of the load can reach is never passed over in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.experiments import run

from chaos.errors import ExitCode, InvalidInput
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.planner import plan_run

HEAD = """\
apiVersion: chaos/v1alpha1
kind: Experiment
metadata: {{name: t}}
spec:
  load: {{requests: 300, users: 4, tasks: [{{get: http://web/}}]}}
  verify: {{unreached: {unreached}}}
"""
ABORT = "fault: {abort: {httpStatus: 503, percentage: {value: 50}}}"
TO_WEB = "route: [{destination: {host: web}}]"
NO_SHARE = "fault: {abort: {httpStatus: 503}}"  # without a percentage it never fires


def service(name: str, spec: str, namespace: str = "default") -> str:
    kind = "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
    return f"---\n{kind}metadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"


WEB = service("web", f"{{hosts: [web], http: [{{{TO_WEB}}}]}}")
FAULTY = f"{{{ABORT}, {TO_WEB}}}"
ROOT = service("web", "{hosts: [web], http: [{delegate: {name: part}}]}")


def chosen(match: str) -> str:
    return service("web", f"{{hosts: [web], http: [{{match: [{{{match}}}], {ABORT}, {TO_WEB}}}, {{{TO_WEB}}}]}}")


SIDECAR = (
    "---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: near, namespace: default}\n"
    "spec: {egress: [{hosts: ['./*']}]}\n"
)
UNREACHED = [
    (service("web", f"{{hosts: [web], http: [{{{TO_WEB}}}, {FAULTY}]}}"), "web[1]", "rule #0 before it takes all"),
    (service("web", f"{{hosts: [web], http: [{{{TO_WEB}}}, {{match: [{{uri: {{prefix: /a}}}}], {ABORT}, {TO_WEB}}}]}}"),
     "web[1]", "rule #0 before it takes all"),
    (WEB + service("edge", f"{{hosts: [web], gateways: [front], http: [{FAULTY}]}}"), "edge[0]", "not for a sidecar"),
    (WEB + service("far", f"{{hosts: [shop], exportTo: ['.'], http: [{FAULTY}]}}", "other"), "far[0]", "not exported"),
    (WEB + SIDECAR + service("far", f"{{hosts: [shop], http: [{FAULTY}]}}", "other"), "far[0]", "by Sidecar"),
    (WEB + service("part", f"{{http: [{FAULTY}]}}"), "part[0]", "no VirtualService delegates to this one"),
    (chosen("sourceLabels: {a: b}"), "web[0]", "sourceLabels: the client has a="),
    (chosen("port: 99"), "web[0]", "port 99 is not"),
    (chosen("gateways: [front]"), "web[0]", "gateways do not include mesh"),
]  # fmt: skip

REACHED = [
    WEB,
    service("web", f"{{hosts: [web], http: [{FAULTY}]}}"),
    service("web", f"{{hosts: [web], http: [{FAULTY.replace('value: 50', 'value: 0')}]}}"),
    WEB + service("part", f"{{http: [{FAULTY.replace('value: 50', 'value: 0')}]}}"),
    WEB
    + service("part", f"{{http: [{{fault: {{abort: {{httpStatus: 503}}}}, {TO_WEB}}}]}}"),  # without a percentage: 0 %
    ROOT + service("part", f"{{http: [{FAULTY}]}}"),
    ROOT.replace("{delegate", f"{{{ABORT}, delegate") + service("part", f"{{http: [{{{TO_WEB}}}]}}"),
]


def silent(tmp_path: Path, documents: str, unreached: str = "[]") -> tuple[list[tuple[str, str]], list[str]]:
    """The findings of what is not reached, by rule, and the notes of what need not be."""
    file = tmp_path / "t.yaml"
    file.write_text(HEAD.format(unreached=unreached) + documents)
    planned = plan_run(str(file), RunOptions())
    notes = [note.message for note in planned.notes if note.code == "unreached"]
    return [(finding.rule_name, finding.sentence) for finding in planned.silent], notes


@pytest.mark.parametrize(("documents", "rule", "reason"), UNREACHED)
def test_a_fault_that_can_never_fire_is_a_finding_with_the_reason(
    tmp_path: Path, documents: str, rule: str, reason: str
) -> None:
    found, notes = silent(tmp_path, documents)
    assert [name for name, _ in found] == [rule]
    assert reason in found[0][1] and notes == []


def test_a_plan_lists_it(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(HEAD.format(unreached="[]") + UNREACHED[0][0])
    forecast = plan_run(str(file), RunOptions()).forecast()
    assert len(forecast.unreached) == 1 and forecast.unreached[0] in str(forecast)
    assert "exit code 6" in str(forecast) and forecast.to_dict()["unreached"] == forecast.unreached


@pytest.mark.parametrize("documents", REACHED)
def test_a_fault_that_can_or_that_never_should_is_none(tmp_path: Path, documents: str) -> None:
    assert silent(tmp_path, documents) == ([], [])


@pytest.mark.parametrize("unreached", ["allow", "['web[1]']"])
def test_what_need_not_be_reached_is_a_note(tmp_path: Path, unreached: str) -> None:
    found, notes = silent(tmp_path, UNREACHED[0][0], unreached)
    assert found == []
    assert len(notes) == 1 and notes[0].startswith("not judged: web[1]")


def test_a_rule_of_another_name_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        silent(tmp_path, UNREACHED[0][0], "['web[2]']")
    assert f"{tmp_path}/t.yaml:6:24: spec.verify.unreached[0]: there is no rule web[2]; did you mean" in str(
        refused.value
    )


def test_a_run_with_a_fault_behind_a_catch_all_ends_with_6(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(HEAD.format(unreached="[]") + UNREACHED[0][0])
    result = run(str(file), tmp_path)
    assert (result.outcome, result.exit_code) == ("no-traffic", ExitCode.NO_TRAFFIC)
    assert any("its fault can never fire here" in reason for reason in result.reasons)
