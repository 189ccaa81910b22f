"""How long an API server may fail to answer before a run gives up: it may be restarted, and the lease outlives that."""

from __future__ import annotations

import time

from chaos.errors import EnvironmentFailed
from chaos.runner.istio.api import Refused

LONGEST = 30.0
"""Seconds; half of what a lease lasts."""

_FINAL = (401, 403, 404)


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
        will not be answered otherwise: no rights, or nothing there."""
        self.is_fresh = False
        final = isinstance(error, Refused) and error.status in _FINAL
        if final or time.monotonic() - self._answered_at > LONGEST:
            raise error
