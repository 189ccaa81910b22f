"""Draws for ids that come more than once: an application that passes its caller's x-request-id on calls several
services with it, and tries again with it. Each of these requests is drawn for by itself, as Envoy does; with the dice
of the first try a retry could never succeed.

The first request with an id has the draws of the id alone, so that a run whose ids are all different repeats exactly.
"""

from __future__ import annotations

from collections.abc import Callable

from chaos.mesh.decision import Draws

REMEMBERED = 4096
"""Ids of one generation; two are kept. An id that comes back after so many others is taken for a new one, which matters
only to a retry that comes very late. Bounded, so that a worker's memory does not grow with the requests it has seen."""


class Repeats:
    """A function from a request id to its draws, that knows how often the id has come lately."""

    __slots__ = ("_before", "_draws", "_now")

    def __init__(self, draws: Callable[[bytes], Draws]):
        self._draws = draws
        self._now: dict[bytes, int] = {}
        self._before: dict[bytes, int] = {}

    def forget(self) -> None:
        """Ids are new again: with other faults in force the same requests can be compared with those before."""
        self._now, self._before = {}, {}

    def __call__(self, request_id: bytes) -> Draws:
        now = self._now
        times = now.get(request_id) or self._before.get(request_id, 0)
        now[request_id] = times + 1
        if len(now) >= REMEMBERED:
            self._before, self._now = now, {}
        return self._draws(b"%b again %d" % (request_id, times) if times else request_id)
