"""What other programs read of the command line: JSON, JUnit, Markdown, SARIF, and annotations of a job."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from junitparser import JUnitXml
from support.experiments import experiment, virtual_service, write

from chaos.claims.finding import Finding, Tally
from chaos.cli.commands import call
from chaos.errors import ExitCode
from chaos.runner.terminal.result import RunResult
from chaos.runner.terminal.results import markdown_of
from chaos.runner.terminal.summary import summary_lines
from chaos.verify.verdict import Verdict

ROOT = Path(__file__).parents[2]
ABORT = Finding(
    id="1", kind="abort", title="abort 400", verdict=Verdict.VERIFIED, rule_name="web|[0]", configured=0.5,
    tolerance=0.02, drawn=Tally(500, 1000), observed=Tally(500, 1000), estimate=0.5, interval=(0.46, 0.54),
)  # fmt: skip
RESULT = RunResult("case", "case.yaml", "verified", ExitCode.VERIFIED, (), (ABORT,), None, 1000, 3.0)
REFUSED = RunResult("bad", "bad.yaml", "not run", ExitCode.USAGE, ("bad.yaml:1:1: a <mistake>",))


@pytest.fixture
def two_files(tmp_path: Path) -> list[str]:
    """One that runs, and one that cannot."""
    load = {"requests": 300, "users": 4}
    good = write(tmp_path, experiment(load=load), virtual_service(abort=100.0))
    return [good, write(tmp_path, experiment(laod={}), virtual_service(), name="bad.yaml")]


def test_a_run_is_told_as_json_junit_and_markdown(
    two_files: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# earlier steps\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    out, junit = tmp_path / "out", tmp_path / "all.xml"
    code = call(["run", *two_files, "--out", str(out), "--no-report", "--format", "json", "--junit", str(junit)])
    told = capfd.readouterr()
    ran, refused = json.loads(told.out)
    assert code == refused["exit_code"] == 2 and ran["exit_code"] in (0, 3)
    assert (ran["name"], refused["outcome"], refused["folder"]) == ("case", "not run", None)
    assert any("laod" in reason for reason in refused["reasons"])
    assert json.loads((Path(ran["folder"]) / "result.json").read_text())["findings"] == ran["findings"]
    assert not (Path(ran["folder"]) / "report.html").exists()
    assert "case" in told.err, "progress is on stderr"
    suites = list(JUnitXml.fromstring(junit.read_bytes()))
    assert [suite.name for suite in suites] == ["case", "bad"] and suites[1].errors == 1
    lines = summary.read_text().splitlines()
    assert lines[0] == "# earlier steps" and sum(line.startswith("### ") for line in lines) == 2


def test_quiet_prints_the_result_alone(two_files: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call(["run", two_files[0], "--out", str(tmp_path), "--no-report", "--quiet"])
    told = capfd.readouterr()
    assert told.out.startswith("without a response") and "abort 503" in told.out and told.err == ""


def test_a_file_that_cannot_be_written_is_told_after_the_result(
    two_files: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "none" / "all.xml"
    assert call(["run", two_files[0], "--out", str(tmp_path), "--no-report", "--quiet", "--junit", str(nowhere)]) == 5
    told = capfd.readouterr()
    assert "abort 503" in told.out and f"cannot write {nowhere}" in told.err


def test_markdown_has_a_table_of_the_claims_and_the_reasons() -> None:
    text = markdown_of([RESULT, REFUSED])
    assert "| ✅ | web\\|\\[0\\] abort 400 | 50\u00a0% | 50" in text.replace(" %", "\u00a0%")
    assert "- bad.yaml:1:1: a \\<mistake\\>" in text and "exit code 2" in text
    assert all(len(re.findall(r"(?<!\\)\|", line)) in (0, 7) for line in text.splitlines())


@pytest.mark.parametrize("columns", [80, 60, None])
def test_no_claim_takes_more_than_two_lines_of_a_terminal(columns: int | None) -> None:
    lines = [line for line in summary_lines(RESULT, columns) if not line.startswith("verified (")]
    assert len(lines) == (1 if columns is None else 2)
    if columns is not None:
        assert lines[0] == "verified: web|[0]  abort 400" and "observed 50" in lines[1]


# ------------------------------------------------------------------------------------------------ validate


@pytest.fixture
def wrong(tmp_path: Path) -> str:
    rule = virtual_service(abort=120.0)
    rule["spec"]["http"].append({"route": [{"destination": {"host": "web, % and\nmore"}}]})
    return write(tmp_path, rule, name="wrong, a:b.yaml")


def test_sarif_has_a_result_for_each_finding(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["validate", "--format", "json", wrong]) == 2
    (file,) = json.loads(capsys.readouterr().out)
    assert call(["validate", "--format", "sarif", wrong]) == 2
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    findings = [*file["errors"], *file["warnings"], *file["infos"]]
    assert len(run["results"]) == len(findings) and findings
    ruled = {each["id"] for each in run["tool"]["driver"]["rules"]}
    for result in run["results"]:
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == wrong and place["region"]["startLine"] > 1
        assert result["ruleId"] in ruled and result["level"] in ("error", "warning", "note")


def test_annotations_are_made_in_a_job_and_when_asked_for(
    wrong: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    call(["validate", wrong])
    plain = capsys.readouterr().out
    assert "::error" not in plain
    call(["validate", "--format", "github", wrong])
    asked = capsys.readouterr().out
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    call(["validate", wrong])
    assert capsys.readouterr().out == asked and asked.startswith(plain)
    commands = asked.removeprefix(plain).splitlines()
    assert all(
        re.match(r"::(error|warning|notice) file=[^,:]*wrong%2C a%3Ab.yaml,line=\d+,col=\d+", c) for c in commands
    )


# ------------------------------------------------------------------------------------------------ the machine


def test_doctor_finds_nothing_wrong_here_and_says_what_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["doctor", "--out", str(tmp_path)]) == 0
    assert "ok     aiohttp" in capsys.readouterr().out
    blocked = tmp_path / "file"
    blocked.write_text("")
    blocked.chmod(0o400)
    called = call(["doctor", "--out", "/proc/nowhere"])
    assert called in (0, 5)  # root may write where nobody else may


@pytest.mark.parametrize("name", ["action.yml", ".pre-commit-hooks.yaml"])
def test_what_other_services_read_of_the_repository_calls_commands_that_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    assert yaml.safe_load(text)
    commands = re.findall(r"chaos-harness (\w+)", text)
    assert commands and all(call([command, "--help"]) == 0 for command in commands)


INPUTS = [
    ("a.yaml b.yaml", "", ["a.yaml", "b.yaml"], []),
    ("a.yaml\nb.yaml\n", "--seed 3\n--quiet", ["a.yaml", "b.yaml"], ["--seed", "3", "--quiet"]),
    ("*.yaml", "--set spec.load.tasks[0].weight=2", ["a.yaml", "b.yaml"], ["--set", "spec.load.tasks[0].weight=2"]),
]


@pytest.mark.parametrize(("files", "arguments", "wanted", "more"), INPUTS)
def test_the_action_takes_all_files_and_arguments_of_its_inputs(
    tmp_path: Path, files: str, arguments: str, wanted: list[str], more: list[str]
) -> None:
    """The step's own lines; what they would call is printed. GitHub runs them with `-eo pipefail`."""
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).touch()
    step = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"][-1]["run"]
    said = 'chaos-harness() { printf "%s\\n" "$1" "${@:2}" --; }\n'
    given = {"FILES": files, "ARGUMENTS": arguments, "OUT": "out", "PATH": os.environ["PATH"]}
    ended = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", said + step], cwd=tmp_path, env=given, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    run = ["run", *wanted, "--out", "out", "--junit", "out/junit.xml", *more, "--"]
    assert ended.stdout.splitlines() == ["validate", *wanted, "--", *run]
