"""The commands that need no run: what they print, where they write, and that they start quickly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from support.envoy_binary import find_envoy
from support.experiments import CHAOS, descendants, experiment, start, virtual_service, write
from support.policies import policy
from support.processes import wait_for

from chaos.cli.commands import call
from chaos.experiment.read import read_experiment
from chaos.runner.plan import calls as grpc_calls
from chaos.runner.processes.ports import accepts

ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))
HEAVY = {"aiohttp", "gevent", "locust", "matplotlib", "numpy", "pandas", "rich", "scipy", "pydantic", "yaml", "uvloop"}


def test_help_imports_nothing_heavy() -> None:
    """So that it takes a tenth of a second; the time itself is for the benchmarks."""
    code = f"import sys, chaos.cli.commands; print(sorted({HEAVY!r} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in (
        "run",
        "gateway",
        "validate",
        "explain",
        "test",
        "plan",
        "report",
        "compare",
        "judge",
        "replay",
        "export",
        "demo",
        "init",
    ):
        assert f"\n  {command} " in shown
    assert call(["--version"]) == 0


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_of_ours_is_valid_and_can_be_planned(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = []
    if "kind: grpc" in file.read_text():
        if not grpc_calls.installed() or find_envoy() is None:
            pytest.skip("needs the extras envoy and grpc")
        engine = ["--engine", "envoy"]
    assert call(["validate", "--format", "json", str(file)]) == 0
    assert json.loads(capsys.readouterr().out) == [{"file": str(file), "errors": [], "warnings": [], "infos": []}]
    assert call(["plan", "--no-probe", "--format", "json", *engine, str(file)]) == 0
    forecast = json.loads(capsys.readouterr().out)
    assert forecast["rules"]
    for rule in forecast["rules"]:
        assert sum(outcome["share"] for outcome in rule["outcomes"]) == pytest.approx(1.0)


def test_validate_for_programs_has_an_object_for_each_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: t}\nspec:\n"
        "  hosts: [web]\n  http:\n  - {route: [{destination: {host: web}}], timeuot: 1s}\n"
    )
    assert call(["validate", "--format", "json", str(file)]) == 2
    (found,) = json.loads(capsys.readouterr().out)
    assert found["file"] == str(file) and found["warnings"] == found["infos"] == []
    (finding,) = found["errors"]
    assert finding == {
        "file": str(file),
        "line": 7,
        "column": 43,
        "path": "spec.http[0].timeuot",
        "code": "schema",
        "severity": "error",
        "by": "schema",
        "message": "unknown field `timeuot`; did you mean `timeout`?",
        "fix": "timeout",
    }
    assert call(["validate", str(file)]) == 2
    shown = capsys.readouterr().out
    assert shown == f"{file}:7:43: error: spec.http[0].timeuot: unknown field `timeuot`; did you mean `timeout`?\n"


def test_plan_tells_shares_and_requests(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["plan", "--no-probe", str(ROOT / "experiments" / "abort50.yaml")]) == 0
    shown = capsys.readouterr().out
    assert "50.0 %   status 400 (abort)" in shown
    assert "abort 400" in shown and "requests" in shown


def test_explain_tells_rule_place_and_probability(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(ROOT / "experiments" / "match.yaml")
    assert call(["explain", file, "GET http://webserver/", "-H", "end-user: jason"]) == 0
    shown = capsys.readouterr().out
    assert "jason-by-header" in shown and "match.yaml:44" in shown
    assert call(["explain", file, "http://webserver/cart/7", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rule"]["name"] == "cart-by-path"


@pytest.mark.parametrize("request_text", ["", "GET", "GET http://a/ x", "http://", "G\x01T http://a/", "ftp://a/"])
def test_explain_refuses_what_is_no_request(request_text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["explain", str(EXPERIMENTS[0]), request_text]) in (0, 2)
    assert "Traceback" not in capsys.readouterr().err
    if request_text != "GET":  # a host called GET
        assert call(["explain", str(EXPERIMENTS[0]), request_text]) == 2


def test_init_writes_an_experiment_that_is_valid_and_keeps_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new" / "my-first.yaml"
    assert call(["init", str(file), "--host", "payments"]) == 0
    assert call(["validate", str(file)]) == 0
    reading = read_experiment([(str(file), file.read_text())])
    assert reading.name == "my-first" and reading.resources.virtual_services[0].spec.hosts == ("payments",)
    assert json.loads((file.parent / "experiment.schema.json").read_text())["$defs"]["Experiment"]
    capsys.readouterr()
    file.write_text("mine")
    assert call(["init", str(file)]) == 2
    assert "exists already" in capsys.readouterr().err and file.read_text() == "mine"


def test_the_schema_knows_every_field_of_the_experiments(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["schema"]) == 0
    definitions = json.loads(capsys.readouterr().out)["$defs"]
    spec = definitions["Experiment.Spec"]["properties"]
    for file in EXPERIMENTS:
        for document in yaml.safe_load_all(file.read_text()):
            assert document["kind"] in definitions
            if document["kind"] == "Experiment":
                assert set(document["spec"]) <= set(spec)


def test_a_run_is_exported_for_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, experiment(), virtual_service(abort=50))
    arguments = ["export", "kubernetes", file, "--image", "chaos:1", "--load-workers", "8", "-n", "load"]
    assert call(arguments) == 0
    kinds = ["ConfigMap", "ServiceAccount", "Secret", "Service", "Job", "Job"]
    first = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [each["kind"] for each in first] == kinds and {each["metadata"]["namespace"] for each in first} == {"load"}
    out = tmp_path / "run.yaml"
    assert call([*arguments, "--out", str(out)]) == 0
    assert f"kubectl -n load apply --server-side -f {out}" in capsys.readouterr().out
    second = list(yaml.safe_load_all(out.read_text()))
    assert out.stat().st_mode & 0o77 == 0  # it holds a token, and another one each time
    assert len(first[2]["stringData"]["token"]) >= 32 and first[2] != second[2]
    assert [each for each in first if each["kind"] != "Secret"] == [each for each in second if each["kind"] != "Secret"]


def test_what_cannot_happen_in_a_cluster_is_not_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    services = {"web": {"endpoints": [{"address": "127.0.0.1:9001"}]}}
    file = write(tmp_path, experiment(services=services), virtual_service(abort=50))
    assert call(["export", "kubernetes", file, "--image", "chaos:1"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "case.yaml:9:18: spec.services.web.endpoints[0].address: 127.0.0.1 is" in printed.err
    assert call(["export", "kubernetes", file, "--image", "chaos:1", "--name", "Web"]) == 2
    assert "--name: 'Web' is not a name of Kubernetes" in capsys.readouterr().err


def test_a_run_in_a_mesh_has_no_policies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, experiment(), virtual_service(abort=50))
    with Path(file).open("a") as appended:
        appended.write("---\n" + policy("{reset: {}}"))
    arguments = ["export", "kubernetes", file, "--image", "chaos:1"]
    assert call(arguments) == 0
    capsys.readouterr()
    assert call([*arguments, "--engine", "istio"]) == 2
    assert "spec.fault.reset: a mesh has no faults but those of VirtualServices" in capsys.readouterr().err


def test_export_says_which_services_nobody_can_reach_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = {"web": {"endpoints": [{"address": "127.0.0.1:9001"}]}}
    document = {"apiVersion": "chaos/v1alpha1", "kind": "Experiment", "spec": {"services": listed}}
    assert call(["export", "envoy", write(tmp_path, document, virtual_service(abort=50))]) == 0
    assert "9001" in capsys.readouterr().out
    assert call(["export", "envoy", write(tmp_path, virtual_service(abort=50), name="vs.yaml")]) == 0
    out, err = capsys.readouterr()
    assert "warning: spec.services: webv1-1: no endpoint is known" in err and "lb_endpoints" in out
    assert call(["export", "envoy", str(tmp_path / "case.yaml"), "--listen", "here"]) == 2


@pytest.mark.slow
def test_the_demo_answers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    process = start("demo", "--listen", "127.0.0.1:0", cwd=tmp_path)
    try:
        assert process.stdout is not None
        said = [process.stdout.readline()]
        while "Ctrl-C" not in said[-1] and said[-1]:
            said.append(process.stdout.readline())
        addresses = [word for line in said for word in line.split() if word.startswith("http://")]
        address = addresses[0]
        assert said[0].startswith("proxy")
        answers = {_get(address) for _ in range(40)}
        assert {status for status, _ in answers} == {200, 400}
        assert any("Proxying value: WebServer V1 from webserverv1-" in text for _, text in answers)
        children = descendants(process.pid)
        assert len(children) >= 2
    finally:
        process.terminate()
        process.wait(10)
        process.communicate()
    assert process.returncode == 0
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), 2, "the demo's processes to end")
    assert not any(accepts("127.0.0.1", urlsplit(each).port or 0) for each in addresses)


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode().partition(" - Took")[0]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode().partition(" - Took")[0]


@pytest.mark.slow
def test_a_gateway_whose_worker_dies_ends_with_exit_code_5(tmp_path: Path) -> None:
    """What the worker had counted is lost; whoever started the gateway must learn of it."""
    services = {"web": {"endpoints": [{"address": "127.0.0.1:1"}]}}
    file = write(tmp_path, experiment(services=services), virtual_service())
    process = start("gateway", file, "--listen", "127.0.0.1:0", "--workers", "2", cwd=tmp_path)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("admin on") and process.stdout.readline().startswith("listening on")
        workers = descendants(process.pid)
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        _, said = process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 5
    assert f"worker {workers[0]} has died; its counts are lost" in said


def test_an_error_of_our_own_is_one_line_with_its_details_in_a_file(tmp_path: Path) -> None:
    """Provoked with a module that cannot be imported."""
    (tmp_path / "pydantic").mkdir()
    (tmp_path / "pydantic" / "__init__.py").write_text("raise RuntimeError('broken on purpose')")
    began = time.monotonic()
    ended = subprocess.run(
        [*CHAOS, "validate", "x.yaml"], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )  # fmt: skip
    assert time.monotonic() - began < 30
    (line,) = ended.stderr.splitlines()
    assert line.startswith("chaos failed: RuntimeError: broken on purpose (details in ")
    details = Path(line.rpartition("details in ")[2].rstrip(")"))
    assert "Traceback" in details.read_text()
    details.unlink()
    assert ended.returncode == 5
