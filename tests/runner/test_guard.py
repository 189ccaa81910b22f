"""The guard ends a program and everything it has started, whatever happens to the supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from support.experiments import alive
from support.processes import wait_for

from chaos.runner.processes import guard

# A child in its group, and a daemon in a session of its own, whose parent has ended, and which minds no SIGTERM.
PROGRAM = """
    import os, pathlib, signal, subprocess, sys, time

    def tell(pid):
        with open("pids", "a") as file:
            file.write(f"{pid}\\n")

    tell(os.getpid())
    tell(subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"]).pid)
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            tell(os.getpid())
            time.sleep(600)
        os._exit(0)
    while not pathlib.Path("enough").exists():
        time.sleep(0.01)
    sys.exit(7)
"""


def guarded(folder: Path, text: str = PROGRAM) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-S", guard.__file__, sys.executable, "-c", textwrap.dedent(text)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)


def pids(folder: Path, count: int = 3) -> list[int]:
    def told() -> list[int]:
        file = folder / "pids"
        found = [int(line) for line in file.read_text().splitlines()] if file.exists() else []
        return found if len(found) == count else []

    return wait_for(told, 20, "the processes that the program starts")


def close_stdin(process: subprocess.Popen[bytes], folder: Path) -> None:
    assert process.stdin is not None
    process.stdin.close()


def end_by_itself(process: subprocess.Popen[bytes], folder: Path) -> None:
    (folder / "enough").touch()


ENDS: dict[str, tuple[Callable[[subprocess.Popen[bytes], Path], None], set[int]]] = {
    "the supervisor is gone": (close_stdin, {128 + signal.SIGTERM}),
    "SIGTERM": (lambda process, _: process.terminate(), {128 + signal.SIGTERM}),
    "SIGHUP": (lambda process, _: process.send_signal(signal.SIGHUP), {128 + signal.SIGTERM}),
    "the program ends by itself": (end_by_itself, {7}),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_daemon_that_has_detached_itself_ends_with_the_rest(end: str, tmp_path: Path) -> None:
    act, codes = ENDS[end]
    with guarded(tmp_path) as process:
        started = pids(tmp_path)
        act(process, tmp_path)
        assert process.wait(2) in codes
        assert not [pid for pid in started if alive(pid)]


def test_it_says_the_process_id_of_the_program_and_passes_its_exit_code_on(tmp_path: Path) -> None:
    with guarded(tmp_path, "import os, sys; open('pids', 'w').write(str(os.getpid())); sys.exit(3)") as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == pids(tmp_path, 1)[0]
        assert process.wait(5) == 3


def test_the_program_dies_with_a_guard_that_is_killed(tmp_path: Path) -> None:
    """What it had started is then the supervisor's to end, by the process group."""
    with guarded(tmp_path) as process:
        program, helper, daemon = pids(tmp_path)
        process.kill()
        wait_for(lambda: not alive(program), 2, "the program to end")
        os.killpg(program, signal.SIGKILL)
        os.kill(daemon, signal.SIGKILL)
        wait_for(lambda: not alive(helper) and not alive(daemon), 2, "the others to end")


def test_nothing_is_started_for_a_supervisor_that_is_gone_already(tmp_path: Path) -> None:
    argv = [sys.executable, "-S", guard.__file__, "touch", "started"]
    ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, cwd=tmp_path, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    assert not (tmp_path / "started").exists()


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    argv = [sys.executable, "-S", guard.__file__, "no-such-program"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stderr is not None
        assert process.stderr.read() == b"cannot start no-such-program: No such file or directory\n"
        assert process.wait(5) == 127
