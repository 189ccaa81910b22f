"""The setting of a load process: signals, limits, logging, the garbage collector, and its share of a core."""

from __future__ import annotations

import gc
import logging
import resource
import signal
import sys
from contextlib import suppress
from time import perf_counter, process_time

MOST_FILES = 1 << 20


def settle() -> None:
    """Set signals, limits and logging for a load generator."""
    allow_many_connections()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("locust.runners").addFilter(lambda record: "spawn rate is very high" not in record.getMessage())


def allow_many_connections() -> None:
    """Raise the limit of open files as far as allowed: every user has a socket, and the usual soft limit is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls its hard limit infinite and refuses it
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, MOST_FILES)), hard))


def calm_collector() -> None:
    """Exempt what is loaded by now from collection and collect seldom: full collections would stop all users for tens
    of milliseconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def collect_young() -> None:
    """Free the garbage of the last second.

    hdrhistogram's encoder makes a ctypes array type for each length it meets: four objects and three kilobytes that
    refer to each other. With the thresholds above they would pile up to 35 MB, in half an hour of one digest a
    second."""
    gc.collect(1)


class CpuShare:
    """The share of a core that this process used since the last call."""

    def __init__(self) -> None:
        self._wall, self._cpu = perf_counter(), process_time()

    def __call__(self) -> float:
        wall, cpu = perf_counter(), process_time()
        share = (cpu - self._cpu) / max(wall - self._wall, 1e-6)
        self._wall, self._cpu = wall, cpu
        return round(share, 3)
