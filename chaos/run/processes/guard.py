"""Runs one program of the user's and ends it, with everything it started, when we end:
`python -S chaos/run/processes/guard.py CMD...`.

A parent-death signal reaches only a direct child, and a program may start others (a shell, a reloader, workers). The
guard stays small, waits for its stdin to close, and then ends the program's whole group. It imports nothing of ours.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

GRACE = 0.5  # seconds between SIGTERM and SIGKILL


def main(command: list[str]) -> int:
    """The program's own exit code, 127 when it cannot be started (its message is on stderr)."""
    ended_read, ended_write = os.pipe()
    os.set_blocking(ended_write, False)
    signal.set_wakeup_fd(ended_write)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    stop_on = {signal.SIGTERM, signal.SIGINT}
    try:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True)
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    while program.poll() is None:
        ready, _, _ = select.select([0, ended_read], [], [])
        if ended_read in ready and not stop_on & set(os.read(ended_read, 64)):
            continue
        if ended_read not in ready and os.read(0, 4096):
            continue
        break
    end_group(program)
    return program.returncode if program.returncode >= 0 else 128 - program.returncode


def end_group(program: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the group, SIGKILL to what is left; the program itself may have ended before its children."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(program.pid, number)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + GRACE
        while program.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
    program.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
