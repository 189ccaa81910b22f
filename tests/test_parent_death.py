"""A child dies with its parent, also with one that died before the child could ask for that."""

from __future__ import annotations

import os
import subprocess
import sys

from support.experiments import alive
from support.processes import wait_for

from chaos.parent_death import before_exec

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


def test_a_child_whose_parent_has_died_already_ends_at_once() -> None:
    """Between fork and prctl the parent can die; the signal would then never come."""
    code = "from chaos.parent_death import die_with; import os; die_with(os.getppid() + 1); print('still there')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")


def test_a_child_of_ours_lives_on() -> None:
    code = "from chaos.parent_death import die_with; import os; die_with(os.getppid()); print('still there')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "still there\n")


def test_it_is_killed_when_its_parent_is() -> None:
    """Its parent has no time to tell it, and it reads nothing that could close."""
    code = (
        "import subprocess, sys, time; from chaos.parent_death import before_exec\n"
        f"print(subprocess.Popen({SLEEP!r}, preexec_fn=before_exec()).pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
        wait_for(lambda: not alive(child), 2, "the child to end with its parent")


def test_a_child_can_give_way_to_others() -> None:
    code = [sys.executable, "-S", "-c", "import os; print(os.nice(0))"]
    nice = subprocess.run(code, preexec_fn=before_exec(nice=3), capture_output=True, text=True, check=True)
    assert int(nice.stdout) == min(os.nice(0) + 3, 19)
