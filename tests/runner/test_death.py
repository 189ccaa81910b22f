"""Whatever dies in the middle of a run: no process stays, the journal is readable, a report tells what there was."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.experiments import alive, experiment, virtual_service, write
from support.processes import EXPERIMENTS, chaos, command_line, descendants, start_chaos, wait_for

pytestmark = pytest.mark.slow

# Runs for a minute when nobody stops it, so that every death falls in the middle.
SHORT = ("--set", "spec.load.requests=20000", "--set", "spec.verify.tolerance=20")
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


@pytest.mark.parametrize("victim", ["chaos.runner.gateway", "chaos.load", "chaos.services"])
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


def test_a_report_process_that_is_killed_costs_the_report_and_nothing_else(tmp_path: Path) -> None:
    process = start_chaos("run", EXPERIMENTS / "abort50.yaml", "--out", tmp_path, *SHORT)
    reporter = wait_for(
        lambda: next((pid for pid, line in descendants(process.pid).items() if "chaos.report" in line), 0), 60, "it"
    )
    os.kill(reporter, signal.SIGKILL)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"the report was killed by SIGKILL; `chaos report {the_run(tmp_path)}` tries again" in printed
    assert chaos("report", the_run(tmp_path)).returncode == 0


def test_a_load_that_a_foreign_signal_ends_is_no_verdict(tmp_path: Path) -> None:
    """It would be judged by a part of what it was to send."""
    process, children = run_until_measuring(tmp_path)
    os.kill(next(pid for pid, command in children.items() if "chaos.load" in command), signal.SIGTERM)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "the load was ended by a signal that was not ours" in printed


def test_sigterm_while_the_report_is_made_gives_it_up_and_says_so(tmp_path: Path) -> None:
    """The reporter is stopped first, so that the report is certainly being made."""
    process = start_chaos("run", EXPERIMENTS / "abort50.yaml", "--out", tmp_path, *SHORT)
    reporter = wait_for(
        lambda: next((pid for pid, line in descendants(process.pid).items() if "chaos.report" in line), 0), 60, "it"
    )
    os.kill(reporter, signal.SIGSTOP)
    wait_for(lambda: any('"type":"end"' in p.read_text() for p in tmp_path.glob("*/*/journal.jsonl")), 60, "the end")
    wait_for(lambda: len(descendants(process.pid)) <= 2, 10, "gateway and services to end")
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert f"interrupted while the report was made; `chaos report {the_run(tmp_path)}` makes it" in printed
    assert "requests in" in printed
    assert not alive(reporter)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, pytest.param(signal.SIGINT, marks=pytest.mark.representative)]
)
def test_a_signal_before_the_load_begins_ends_the_run_with_a_summary(number: int, tmp_path: Path) -> None:
    """A service that never becomes ready keeps the run from beginning."""
    services = {"web": {"command": [sys.executable, "-c", "import time; time.sleep(600)"]}}
    process = start_chaos("run", write(tmp_path, experiment(services=services), virtual_service()), "--out", tmp_path)
    wait_for(lambda: any("time.sleep" in line for line in descendants(process.pid).values()), 60, "the program")
    children = descendants(process.pid)
    process.send_signal(number)
    printed, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted before the load began\ninterrupted (no requests)" in printed
    assert gone(children)


def test_nohup_keeps_its_meaning(tmp_path: Path) -> None:
    argv = ["nohup", sys.executable, "-m", "chaos", "run", str(EXPERIMENTS / "abort50.yaml"), "--out", str(tmp_path)]
    process = subprocess.Popen([*argv, *SHORT], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: digests(tmp_path) >= 1, 60, "a measurement")
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_closing_the_terminal_ends_the_run_in_good_order(tmp_path: Path) -> None:
    """Nobody is there to read the summary; the report is made all the same."""
    pid, terminal = pty.fork()
    if pid == 0:
        arguments = ["run", str(EXPERIMENTS / "abort50.yaml"), "--out", str(tmp_path), *LONG]
        os.execv(sys.executable, [sys.executable, "-m", "chaos", *arguments])
    try:
        shown = b""
        while digests(tmp_path) < 2:
            shown += os.read(terminal, 65536)
        children = descendants(pid)
    finally:
        os.close(terminal)
    assert b"abort50" in shown
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert gone(children)
    assert json.loads((the_run(tmp_path) / "result.json").read_text())["outcome"] == "interrupted"
