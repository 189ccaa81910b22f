"""How a load process lives and dies: with its parent, never on Ctrl-C (the supervisor's to handle), quickly when
asked."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import sys
from time import perf_counter, process_time

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """The kernel kills this process when `parent` is gone; Linux only (elsewhere, the closing of stdin tells)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def settle() -> None:
    """Signals, logging and memory as a load generator wants them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("locust.runners").addFilter(lambda record: "spawn rate is very high" not in record.getMessage())


def calm_collector() -> None:
    """What is loaded by now stays; full collections would stop all users for tens of milliseconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


class CpuShare:
    """The share of a core this process used since it was last asked."""

    def __init__(self) -> None:
        self._wall, self._cpu = perf_counter(), process_time()

    def __call__(self) -> float:
        wall, cpu = perf_counter(), process_time()
        share = (cpu - self._cpu) / max(wall - self._wall, 1e-6)
        self._wall, self._cpu = wall, cpu
        return round(share, 3)
