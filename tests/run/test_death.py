"""Whatever dies in the middle of a run: no process stays, the journal is readable, a report tells what there was."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from support.processes import EXPERIMENTS, chaos, command_line, descendants, start_chaos, wait_for

# Runs for a minute when nobody stops it, so that every death falls in the middle.
LONG = ("--set", "spec.load.duration=60s", "--set", "spec.verify.tolerance=0.01")


def digests(out: Path) -> int:
    return sum(path.read_text().count('"type":"digest"') for path in out.glob("*/*/journal.jsonl"))


def run_until_measuring(out: Path):  # type: ignore[no-untyped-def]
    process = start_chaos("run", EXPERIMENTS / "abort50.yaml", "--out", out, *LONG)
    wait_for(lambda: digests(out) >= 2 or process.poll() is not None, 60, "two seconds of measurements")
    assert process.poll() is None, process.communicate()[0]
    return process, descendants(process.pid)


def the_run(out: Path) -> Path:
    (folder,) = (path.parent for path in out.glob("*/*/journal.jsonl"))
    return folder


def gone(children: dict[int, str]) -> bool:
    return not any(command_line(pid) for pid in children)


@pytest.mark.parametrize("victim", ["chaos.cli gateway", "chaos.load", "chaos.services"])
def test_a_child_that_dies_ends_the_run_with_a_report_and_exit_code_5(victim: str, tmp_path: Path) -> None:
    process, children = run_until_measuring(tmp_path)
    os.kill(next(pid for pid, command in children.items() if victim in command), signal.SIGKILL)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "killed by SIGKILL" in printed
    assert "Traceback" not in printed
    wait_for(lambda: gone(children), 1.0, "the last child to end")
    result = json.loads((the_run(tmp_path) / "result.json").read_text())
    assert result["exit_code"] == 5
    assert (the_run(tmp_path) / "report.html").stat().st_size > 10_000


def test_a_supervisor_that_is_killed_leaves_no_process_and_a_journal_that_still_makes_a_report(tmp_path: Path) -> None:
    process, children = run_until_measuring(tmp_path)
    assert len(children) >= 3
    process.kill()
    process.communicate(timeout=10)
    wait_for(lambda: gone(children), 1.0, "the children to end with their supervisor")
    rendered = chaos("report", the_run(tmp_path))
    assert "unfinished" in rendered.stdout
    result = json.loads((the_run(tmp_path) / "result.json").read_text())
    assert result["load"]["delivered"]["requests"] > 0


def test_ctrl_c_ends_the_load_keeps_what_was_measured_and_writes_the_report(tmp_path: Path) -> None:
    process, children = run_until_measuring(tmp_path)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "report:" in printed
    wait_for(lambda: gone(children), 1.0, "the children to end")
    result = json.loads((the_run(tmp_path) / "result.json").read_text())
    assert result["outcome"] == "interrupted"
    assert result["load"]["delivered"]["requests"] > 0


def test_ctrl_c_while_the_report_is_made_does_not_cost_the_report(tmp_path: Path) -> None:
    process = start_chaos("run", EXPERIMENTS / "routing.yaml", "--out", tmp_path, "--set", "spec.load.requests=500")
    wait_for(lambda: any('"type":"end"' in p.read_text() for p in tmp_path.glob("*/*/journal.jsonl")), 60, "the end")
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert "report:" in printed
    assert (the_run(tmp_path) / "report.html").exists()
