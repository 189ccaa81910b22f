"""Draw again for a request id that comes more than once.

An application that passes its caller's x-request-id on uses one id for several services, and for its retries. Each of
these requests gets draws of its own, as in Envoy; with the draws of the first attempt a retry could never succeed. The
first request with an id gets the draws of the id alone, so that a run whose ids are all different repeats exactly."""

from __future__ import annotations

from collections.abc import Callable

from chaos.mesh.decision import Draws

REMEMBERED = 4096
"""Ids in one generation; two generations are kept, so a worker's memory does not grow with the requests it has seen. An
id that returns after so many others counts as new, which matters only to a retry that comes very late."""


class Repeats:
    """A function from a request id to its draws that knows how often the id has come lately."""

    __slots__ = ("_before", "_draws", "_now")

    def __init__(self, draws: Callable[[bytes], Draws]):
        self._draws = draws
        self._now: dict[bytes, int] = {}
        self._before: dict[bytes, int] = {}

    def forget(self) -> None:
        """Treat all ids as new, so that under other faults the same requests can be compared with those before."""
        self._now, self._before = {}, {}

    def __call__(self, request_id: bytes) -> Draws:
        now = self._now
        times = now.get(request_id) or self._before.get(request_id, 0)
        now[request_id] = times + 1
        if len(now) >= REMEMBERED:
            self._before, self._now = now, {}
        return self._draws(b"%b again %d" % (request_id, times) if times else request_id)
