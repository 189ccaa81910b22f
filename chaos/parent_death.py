"""Tie a child process to its parent: when the parent ends, in whatever way, the kernel kills the child.

This works on Linux only (PR_SET_PDEATHSIG). On other systems these functions do nothing, and children notice the end of
their stdin instead. The signal comes when the *thread* that forked ends; exec of a set-user-id program clears it.
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
    """Ask the kernel to kill this process when `parent` ends. Ends it at once if that has happened already."""
    if _prctl is None:
        return
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died after the fork and before the line above
        os._exit(1)


def before_exec(nice: int = 0) -> Callable[[], None]:
    """Return a preexec_fn for a child that dies with the calling process. `nice` lowers the child's priority."""
    parent = os.getpid()

    def prepare() -> None:
        die_with(parent)
        if nice:
            os.nice(nice)

    return prepare


def adopt_orphans() -> bool:
    """Become the parent of every descendant whose own parent ends, instead of init. Return whether that is possible."""
    return _prctl is not None and _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
