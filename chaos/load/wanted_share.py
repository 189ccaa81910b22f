"""How much of a core a load of gRPC calls wants: what its threads use, and what they wait for.

Each user's call waits in a thread. On a busy machine a thread that has its response waits for a core before anybody
can note it, and Envoy's timers do, too, so that a right delay is measured as too long: with 150 users and two cores
that others used as well, 200 ms as 234. CPU time does not show it, because who waits uses none."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

THREADS = Path("/proc/self/task")


class WantedShare:
    """The share of a core that this process' threads used or waited for since the last call, 1.0 at most; 0.0 where the
    system does not say (`schedstat` of Linux: nanoseconds on a core, and in line for one)."""

    def __init__(self) -> None:
        self._wall, self._known = perf_counter(), _wanted()

    def __call__(self) -> float:
        wall, known = perf_counter(), _wanted()
        more = sum(spent - self._known.get(thread, 0) for thread, spent in known.items())
        share = more / 1e9 / max(wall - self._wall, 1e-6)
        self._wall, self._known = wall, known
        return round(min(share, 1.0), 3)


def _wanted() -> dict[str, int]:
    """Return the nanoseconds so far, by thread."""
    found: dict[str, int] = {}
    for thread in THREADS.iterdir() if THREADS.exists() else ():
        try:
            used, waited, *_ = (thread / "schedstat").read_text().split()
        except (OSError, ValueError):  # it has ended, or this kernel does not count
            continue
        found[thread.name] = int(used) + int(waited)
    return found
