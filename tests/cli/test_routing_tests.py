"""`chaos test`: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from junitparser import Failure, JUnitXml
from support.experiments import CHAOS, experiment, virtual_service, write

from chaos.cli.commands import call

ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))
WITH_TESTS = [path for path in EXPERIMENTS if "  tests:" in path.read_text()]

RULES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - name: jason
    match:
    - headers: {end-user: {exact: jason}}
    - uri: {prefix: /x}
    route: [{destination: {host: webv2}}]
  - name: rest
    route: [{destination: {host: webv1}}]
  - name: late
    route: [{destination: {host: webv1}}]
"""
TESTS = """\
apiVersion: chaos/v1alpha1
kind: RoutingTest
spec:
  tests:
  - name: jason has version 2
    request: GET http://web/
    headers: {end-user: jason}
    expect: {rule: jason, destination: webv2}
  - request: http://web/
    expect: {destination: webv1}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "tests.yaml").write_text(TESTS)
    return str(tmp_path / "rules.yaml"), str(tmp_path / "tests.yaml")


@pytest.fixture(autouse=True)
def outside_of_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def spoil(file: str, old: str, new: str) -> None:
    path = Path(file)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize("file", WITH_TESTS, ids=lambda path: path.stem)
def test_the_tests_in_our_experiments_pass_and_reach_every_entry(file: Path) -> None:
    assert call(["test", "--coverage", "--quiet", str(file)]) == 0


def test_all_experiments_can_be_tested_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Each is a set of its own; those without tests are named."""
    assert len(WITH_TESTS) > 3
    assert call(["test", *map(str, EXPERIMENTS)]) == 0
    assert f"note: {ROOT}/experiments/abort50.yaml has no tests\n" in capsys.readouterr().out


def test_a_line_for_each_test_then_what_is_not_reached(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    rules, tests = files
    assert call(["test", *files]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tests}:5:5: ok: jason has version 2",
        f"{tests}:9:5: ok: GET http://web/",
        f"{rules}:10:7: not reached: jason match[1]",
        f"{rules}:14:5: not reached: late (comes after rest, which takes every request)",
        "2 tests, all passed; 2 of 4 match entries reached (50 %)",
    ]


def test_a_failure_says_what_came_and_why(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    rules, tests = files
    spoil(tests, "end-user: jason", "end-user: bob")
    assert call(["test", "--quiet", *files]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{tests}:5:5: failed: jason has version 2",
        "  GET http://web/ -H 'end-user: bob'",
        "  rule: wanted jason, came rest",
        "  destination: wanted webv2, came webv1",
        f"    1. jason match[0]: no  {rules}:9:7",
        '         headers.end-user: wanted exact "jason", seen "bob"',
        f"    2. jason match[1]: no  {rules}:10:7",
        '         uri: wanted prefix "/x", seen "/"',
        f"    3. rest: takes it  {rules}:12:5",
        "         no conditions: takes every request",
    ]


WHY = {
    "a rule that comes later": ("rule: jason", "rule: rest", "rest: not tried, jason takes the request first"),
    "a rule that cannot": ("rule: jason", "rule: late", "late: comes after rest, which takes every request"),
    "a rule of another host": ("rule: jason", "rule: 'other[0]'", "other[0]: only for other.default.svc.cluster.local"),
    "another namespace": ("http://web/\n    headers", "http://shop/\n    headers", "{namespace: shop}"),
    "a gateway": ("http://web/\n    headers", "http://www.example.com/\n    headers", "{gateway: shop/edge}"),
}
OTHERS = """\
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: other}
spec: {hosts: [other], http: [{route: [{destination: {host: other}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec: {hosts: [shop], http: [{route: [{destination: {host: shop}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: public, namespace: shop}
spec: {hosts: [www.example.com], gateways: [edge], http: [{route: [{destination: {host: shop}}]}]}
"""


@pytest.mark.parametrize("name", WHY)
def test_a_failure_says_why_a_rule_was_not_even_tried(
    name: str, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, said = WHY[name]
    rules, tests = files
    Path(rules).write_text(RULES + OTHERS)
    spoil(tests, old, new)
    assert call(["test", *files]) == 1
    assert said in capsys.readouterr().out


def test_of_many_entries_the_last_ones_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = [{"uri": {"exact": f"/{number}"}} for number in range(30)]
    first = {"match": entries, "route": [{"destination": {"host": "web"}}]}
    rules = virtual_service("web")
    rules["spec"]["http"].insert(0, first)
    test = {"request": "http://web/x", "expect": {"rule": "none"}}
    assert call(["test", write(tmp_path, experiment(tests=[test]), rules)]) == 1
    shown = capsys.readouterr().out
    assert "23 more entries passed over" in shown and "web[0] match[29]: no" in shown


def test_coverage_can_be_demanded(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["test", "--min-coverage", "50", *files]) == 0
    assert call(["test", "--min-coverage", "50.1", *files]) == 1
    assert "the tests reach fewer than 50.1 % of the match entries" in capsys.readouterr().out
    assert call(["test", "--quiet", "--coverage", *files]) == 1
    assert "not reached: jason match[1]" in capsys.readouterr().out
    assert call(["test", "--quiet", *files]) == 0
    assert capsys.readouterr().out == ""


def test_for_programs(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    spoil(files[1], "expect: {destination: webv1}", "expect: {destination: webv3}")
    assert call(["test", "--format", "json", *files]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["failed"]) == (1, 1)
    good, bad = found["tests"]
    assert (good["name"], good["passed"], good["rule"], good["explanation"]) == (
        "jason has version 2", True, "jason", None,
    )  # fmt: skip
    assert (bad["file"], bad["line"], bad["column"], bad["request"]) == (files[1], 9, 5, "GET http://web/")
    assert bad["differences"] == [{"field": "destination", "wanted": "webv3", "came": "webv1", "hint": ""}]
    assert [each["taken"] for each in bad["explanation"]["considered"]] == [False, False, True]
    assert (found["coverage"]["total"], found["coverage"]["reached"], found["coverage"]["percent"]) == (4, 2, 50.0)
    assert found["coverage"]["unreached"][0] == {
        "rule": "jason", "entry": 1, "file": files[0], "line": 10, "column": 7, "reason": "",
    }  # fmt: skip


def test_junit_has_a_case_for_each_test_and_for_a_coverage_that_is_demanded(
    files: tuple[str, str], tmp_path: Path
) -> None:
    spoil(files[1], "expect: {destination: webv1}", "expect: {destination: webv3}")
    document = tmp_path / "junit.xml"
    assert call(["test", "--junit", str(document), "--coverage", *files]) == 1
    (suite,) = JUnitXml.fromfile(str(document))
    good, bad, coverage = suite
    assert (good.name, good.classname, good.result) == ("jason has version 2", files[1], [])
    assert isinstance(bad.result[0], Failure) and bad.result[0].message == "destination: wanted webv3, came webv1"
    assert f"{files[1]}:9:5" in (bad.result[0].text or "")
    assert "jason match[1]" in (coverage.result[0].text or "")


def test_a_failure_is_an_annotation_in_a_github_job(
    files: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    spoil(files[1], "expect: {destination: webv1}", "expect: {destination: webv3}")
    assert call(["test", *files]) == 1
    command = f"::error file={files[1]},line=9,col=5::GET http://web/: destination: wanted webv3, came webv1\n"
    assert command in capsys.readouterr().out


def test_junit_that_cannot_be_written_is_the_environments_fault(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["test", "--junit", str(tmp_path / "no" / "junit.xml"), *files]) == 5
    assert f"cannot write {tmp_path}/no/junit.xml: No such file or directory" in capsys.readouterr().err


def test_a_file_of_tests_may_name_its_rules(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    rules, tests = files
    spoil(tests, "spec:\n", "spec:\n  resources: [rules.yaml]\n")
    assert call(["test", tests]) == 0
    assert call(["test", tests, rules]) == 0
    spoil(tests, "rules.yaml", "roles.yaml")
    assert call(["test", tests]) == 2
    assert f"{tests}:4:15: spec.resources[0]: " in (shown := capsys.readouterr().err)
    assert "roles.yaml: there is no such file" in shown


def test_rules_that_only_tests_name_are_not_those_of_a_run(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = {"request": "http://web/", "expect": {"rule": "rest"}}
    document = {"apiVersion": "chaos/v1alpha1", "kind": "RoutingTest", "spec": {"resources": ["rules.yaml"]}}
    document["spec"]["tests"] = [test]  # type: ignore[index]
    services = {name: {"builtin": "webserver"} for name in ("other", "web", "webv1", "webv2")}
    file = write(tmp_path, experiment(services=services), virtual_service("other"), document)
    assert call(["test", file]) == 0
    capsys.readouterr()
    assert call(["explain", file, "http://web/"]) == 0
    assert "no VirtualService has this host" in capsys.readouterr().out


def test_tests_beside_the_rules_that_an_experiment_names_are_run_too(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules, _ = files
    Path(rules).write_text(f"{RULES}---\n{TESTS}")
    services = {name: {"builtin": "webserver"} for name in ("web", "webv1", "webv2")}
    file = write(tmp_path, experiment(resources=["rules.yaml"], services=services))
    assert call(["test", file]) == 0
    assert "2 tests, all passed" in capsys.readouterr().out
    assert call(["plan", "--no-probe", file]) == 0


def test_rules_may_come_through_a_pipe(files: tuple[str, str]) -> None:
    """Helm's output is read once."""
    rules, tests = files
    command = f"{shlex.join(CHAOS)} test <(cat {rules}) {tests}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


BAD = {
    "misspelt key": (
        "destination: webv2",
        "destinatoin: webv2",
        "8:27 spec.tests[0].expect.destinatoin: unknown field",
    ),
    "misspelt kind": (
        "kind: RoutingTest",
        "kind: RoutingTets",
        'unknown kind "RoutingTets"; did you mean RoutingTest?',
    ),
    "another version": (
        "chaos/v1alpha1",
        "chaos/v1",
        '"chaos/v1" is not known for a RoutingTest; write chaos/v1alpha1',
    ),
    "no request": ("GET http://web/", "GET http://", "6:14 spec.tests[0].request: 'http://' has no host"),
    "no tests": ("  tests:", "  tests: []\n  proxy: {}\n#", "spec.tests: must not be empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_with_2(name: str, files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    old, new, said = BAD[name]
    text = Path(files[1]).read_text().replace(old, new, 1)
    Path(files[1]).write_text(text.partition("#")[0] if name == "no tests" else text)
    for command in (["test", *files], ["validate", files[1]]):
        assert call(command) == 2
        shown = capsys.readouterr()
        assert said in (shown.err + shown.out).replace(": error: ", ": ").replace(": spec", " spec")


def test_tests_without_rules_and_rules_without_tests_are_no_test(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    rules, tests = files
    assert call(["test", tests]) == 2
    assert f"{tests}:1:1: no rules to test" in capsys.readouterr().err
    assert call(["test", rules]) == 2
    assert f"{rules}:1:1: no tests" in capsys.readouterr().err


def test_rules_that_istio_refuses_are_not_tested(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    spoil(files[0], "hosts: [web]", "hosts: ['a b']")
    assert call(["test", *files]) == 2
    assert f"{files[0]}:5:11: spec.hosts[0]" in capsys.readouterr().err


def test_other_commands_take_no_notice_of_tests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tests = {"request": "http://web/", "expect": {"rule": "web[0]"}}
    own = {"apiVersion": "chaos/v1alpha1", "kind": "RoutingTest", "spec": {"tests": [tests]}}
    theirs = {"testCases": [{"request": {"authority": ["web"], "method": ["GET"], "uri": ["/"]}, "redirect": {}}]}
    file = write(tmp_path, experiment(tests=[tests]), virtual_service("web", abort=50), own, theirs)
    assert call(["validate", file]) == 0
    assert call(["explain", file, "http://web/"]) == 0
    assert call(["plan", "--no-probe", file]) == 0
    assert call(["test", file]) == 0
    assert "RoutingTest" not in capsys.readouterr().err


def test_what_only_a_run_needs_is_not_asked_for(tmp_path: Path) -> None:
    """A token or a body of the load, an endpoint on another machine."""
    headers = {"authorization": "Bearer ${NO_SUCH_TOKEN_HERE}"}
    task = {"post": "http://web/", "body": {"file": "no-such.json"}, "headers": headers}
    services = {"web": {"endpoints": [{"address": "192.0.2.1:80"}]}}
    tests = [{"request": "http://web/", "expect": {"destination": "web"}}]
    document = experiment(services=services, load={"tasks": [task]}, tests=tests)
    assert call(["test", write(tmp_path, document, virtual_service("web"))]) == 0
