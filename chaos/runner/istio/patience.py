"""How long an API server may fail to answer before a run gives up: it may be restarted, and the lease outlives that."""

from __future__ import annotations

import time

from chaos.errors import EnvironmentFailed
from chaos.runner.istio.api import Refused

LONGEST = 30.0
"""Seconds; half of what a lease lasts."""

NO_RIGHTS = 5.0
"""Seconds: an API server that has just started refuses what it has not read the roles for yet."""

_FINAL = (400, 404, 422)
_RIGHTS = (401, 403)


class Patience:
    """Counts for how long there was no answer."""

    def __init__(self) -> None:
        self._answered_at = time.monotonic()
        self.is_fresh = True

    def answered(self) -> None:
        """Note an answer."""
        self._answered_at, self.is_fresh = time.monotonic(), True

    def failed(self, error: EnvironmentFailed) -> None:
        """Note that there was none. Raises the error once there was none for too long, and at once where a later try
        will not be answered otherwise: nothing there, or not valid."""
        self.is_fresh = False
        if time.monotonic() - self._answered_at >= _longest(error):
            raise error


def _longest(error: EnvironmentFailed) -> float:
    status = error.status if isinstance(error, Refused) else 0
    if status in _FINAL:
        return 0.0
    return NO_RIGHTS if status in _RIGHTS else LONGEST
