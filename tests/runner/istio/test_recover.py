"""`chaos recover`, `chaos plan --engine istio` and `chaos export rbac`, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_kubernetes.server import ApiServer
from support.goldens import assert_golden
from support.in_mesh import abort, case, rules

from chaos.cli.commands import call
from chaos.engines.istio.lease import lease, owner
from chaos.engines.istio.marks import Marks
from chaos.engines.istio.overlay import Generation, overlay

RUNS = ("0123456789abcdef0123456789abcdef", "f" * 32)


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """With what two runs left, and with what others have."""
    with ApiServer() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        for run in RUNS:
            marks = Marks(run, "shop")
            server.apply(lease(marks))
            (made,) = (each for each in server.all("Job") if each["metadata"]["name"] == marks.name("lease"))
            reference = owner(made)
            server.apply(overlay(marks, reference, (), Generation(1, "", {}), everybody=False))
        theirs = lease(Marks("e" * 32, "shop"))
        theirs["metadata"] = {"name": "theirs", "labels": {"app.kubernetes.io/managed-by": "chaos"}}
        elsewhere = lease(Marks("d" * 32, "elsewhere"))
        server.apply(rules(), theirs, elsewhere)
        yield server


def left(api: ApiServer) -> list[str]:
    return [each["metadata"]["name"] for kind in ("EnvoyFilter", "Job") for each in api.all(kind)]


def test_a_dry_run_only_lists(api: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
    before = left(api)
    assert call(["recover", "--context", "test", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(", there since ")[0] for line in lines] == [
        f"would remove {kind}/chaos-{run[:12]}-{part} of run {run[:12]}"
        for kind, part in (("envoyfilters", "overlay"), ("jobs", "lease"))
        for run in RUNS
    ]
    assert left(api) == before


def test_everything_of_runs_is_removed_and_nothing_of_others(
    api: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    others = {"theirs", f"chaos-{'d' * 12}-lease"}
    assert call(["recover", "--context", "test", "-n", "shop"]) == 0
    assert capsys.readouterr().out.count("removing ") == 4
    assert set(left(api)) == others and len(api.all("VirtualService")) == 1
    assert call(["recover", "--context", "test"]) == 0
    assert capsys.readouterr().out == "no run left anything in namespace shop of context test\n"


def test_nothing_is_recovered_from_a_context_that_is_not_named(
    api: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["recover"]) == 2 and "--context" in capsys.readouterr().err
    assert call(["recover", "--context", "prod"]) == 2
    said = "--context: there is no context 'prod' in the kubeconfig; there are other and test"
    assert said in capsys.readouterr().err


def test_a_plan_says_what_is_in_the_way_and_changes_nothing(
    tmp_path: Path, api: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(api.objects.events)
    arguments = ["plan", "--engine", "istio", "--context", "test", "--gateway", "http://127.0.0.1:9"]
    assert call([*arguments, case(tmp_path, rules(abort(50)))]) == 0
    shown = capsys.readouterr().out
    assert call([*arguments, "--format", "json", case(tmp_path, rules(abort(50)))]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) and "info: context test, namespace shop" in captured.err
    assert "context test, namespace shop" in shown and f"run {RUNS[0][:12]} has faults in this namespace" in shown
    assert call([*arguments, case(tmp_path, rules(abort(50), timeout="1s"))]) == 2
    assert "http[0].timeout: 1s in the file, nothing in the mesh" in capsys.readouterr().err
    assert len(api.objects.events) == before


def test_an_entry_to_a_mesh_without_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["plan", "--gateway", "http://127.0.0.1:9", case(tmp_path, rules(abort(50)))]) == 2
    assert "--gateway: belongs to --engine istio here" in capsys.readouterr().err


def test_the_rights_of_a_run_are_these(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["export", "rbac", "-n", "shop"]) == 0
    assert_golden(Path(__file__).parent / "goldens" / "rbac.yaml", capsys.readouterr().out)
