"""Rendering in a process of its own, imports done ahead of time (chaos/report/__main__.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.journals import write

COMMAND = [sys.executable, "-m", "chaos.report"]


def test_a_waiting_child_renders_what_it_was_started_for_when_stdin_closes(tmp_path: Path) -> None:
    """`ready` comes before there is a journal; the report is made of what is there at the end."""
    folder = tmp_path / "reports" / "abort50" / "1"
    with subprocess.Popen(
        [*COMMAND, "--wait", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stdin is not None
        assert json.loads(child.stdout.readline()) == {"ready": True}
        write(folder)
        child.stdin.close()
        answer = json.loads(child.stdout.readline())
        assert child.wait(timeout=60) == 0
    assert answer["ok"] and answer["folder"] == str(folder) and Path(answer["html"]).exists()
    assert answer["index"] == str(tmp_path / "reports" / "index.html")


@pytest.mark.slow
def test_folders_named_on_stdin_are_answered_one_by_one(tmp_path: Path) -> None:
    """One that cannot be rendered says why, and does not end the child."""
    good = write(tmp_path / "abort50" / "1")
    done = subprocess.run(
        [*COMMAND, "--wait"], input=f"{tmp_path / 'absent'}\n{good}\n", capture_output=True, text=True, timeout=60
    )
    ready, bad, fine = map(json.loads, done.stdout.splitlines())
    assert ready["ready"] and not bad["ok"] and "there is no such run" in bad["error"]
    assert fine["ok"] and fine["outcome"] in ("verified", "inconclusive")
    assert done.returncode == 2


def test_usage_is_shown_for_anything_else() -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "python -m chaos.report FOLDER" in done.stderr
