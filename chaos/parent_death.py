"""Ties a child process to its parent: when the parent is gone, however it ended, the kernel kills the child.

Linux only (PR_SET_PDEATHSIG). Elsewhere nothing happens here, and children notice the end of their stdin instead.
The signal comes when the *thread* that forked ends, and it is cleared by exec of a set-user-id program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

# Looked up once, before any fork: between fork and exec a child must not wait for the import lock or the linker's.
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def die_with(parent: int) -> None:
    """Have this process killed when `parent` is gone. Ends it at once when that has happened already."""
    if _prctl is None:
        return
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died between the fork and the line above, which came too late to tell
        os._exit(1)


def before_exec(nice: int = 0) -> Callable[[], None]:
    """A preexec_fn whose child dies with the process that calls this, and gives way to others when `nice`."""
    parent = os.getpid()

    def prepare() -> None:
        die_with(parent)
        if nice:
            os.nice(nice)

    return prepare


def adopt_orphans() -> bool:
    """Become the parent of every descendant whose own parent ends, instead of init; whether that is possible."""
    return _prctl is not None and _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
