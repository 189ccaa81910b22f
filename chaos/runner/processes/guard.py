"""Run one program of the user's, and end it with everything it started when we end:
`python -S chaos/runner/processes/guard.py CMD...`. Prints the program's process id on stdout once it has started.

A parent-death signal reaches only a direct child, and a program may start others (a shell, a reloader, workers, a
daemon in a session of its own). So the guard itself has no such signal: when its stdin closes it ends
the program's process group, and then all other descendants of its own. Orphans become its children instead of init's
(PR_SET_CHILD_SUBREAPER), so it also finds a daemon that has detached itself.

It has to start quickly, so it imports no site packages and nothing of ours but `chaos.parent_death`.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

GRACE = 0.5  # seconds between SIGTERM and SIGKILL
LONGEST = 1.0  # seconds for what was killed to be gone; the kernel may hold back a process that waits for a disk
POLL = 0.01


def main(command: list[str]) -> int:
    """Run the program and return its exit code; 127 if it cannot be started (the reason is on stderr)."""
    from chaos.parent_death import adopt_orphans, before_exec

    woken = _wake_on(signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    adopt_orphans()
    if _supervisor_is_gone():
        return 0
    try:
        program = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True, preexec_fn=before_exec()
        )
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    with suppress(OSError):
        os.write(1, b"%d\n" % program.pid)
    _wait(program, woken)
    end(program)
    return program.returncode if program.returncode >= 0 else 128 - program.returncode


def _wake_on(*numbers: signal.Signals) -> int:
    """Return a descriptor from which the numbers of these signals can be read as they arrive."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    return reader


def _supervisor_is_gone() -> bool:
    ready, _, _ = select.select([0], [], [], 0)
    return bool(ready) and not os.read(0, 4096)


def _wait(program: subprocess.Popen[bytes], woken: int) -> None:
    """Wait until the program ends, the supervisor is gone, or a signal asks us to stop."""
    while program.poll() is None:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready and set(os.read(woken, 64)) - {signal.SIGCHLD}:
            return
        if 0 in ready and not os.read(0, 4096):
            return


def end(program: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM to everything that the program started, then SIGKILL until nothing is left."""
    _signal_all(program, signal.SIGTERM)
    _until_gone(program, GRACE)
    deadline = time.monotonic() + LONGEST
    while _left(program) and time.monotonic() < deadline:
        _signal_all(program, signal.SIGKILL)  # in a loop: a process may start another one meanwhile
        _until_gone(program, POLL)
    program.wait()


def _signal_all(program: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, number)
    for pid in descendants(os.getpid()):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _until_gone(program: subprocess.Popen[bytes], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _left(program) and time.monotonic() < deadline:
        time.sleep(POLL)


def _left(program: subprocess.Popen[bytes]) -> bool:
    """Return whether any process of the program still runs. Collects the orphans that have ended."""
    if program.poll() is None:
        return True
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return bool(descendants(os.getpid())) or _group_lives(program.pid)


def _group_lives(group: int) -> bool:
    """Return whether the group has members, for systems on which orphans do not become our children."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, 0)
        return True
    return False


def descendants(leader: int) -> list[int]:
    """Return the ids of all descendants of a process; empty on systems without /proc."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            parent = int(stat.read_bytes().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, todo = [], [leader]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[3])  # ours alone would be the folder of this file
    sys.exit(main(sys.argv[1:]))
