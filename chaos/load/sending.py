"""One request of a locustfile, from the call that sends it to the event that tells what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.load.recorder import Cohort, Outcome
from chaos.load.shared import Shared

ID = "x-request-id"
SENDING = "chaos-request"
"""In the context that Locust's event carries: the Sending."""


class Sending:
    """One request in flight, from the call that sends it to Locust's event, which comes later where the locustfile
    judges the response itself (`catch_response`). Whose name it will have is known only then. With `streams` the
    locustfile reads the body itself."""

    def __init__(self, shared: Shared, user: int, number: int, headers: Mapping[str, Any], streams: bool = False):
        self.user = user
        self.headers = headers
        self.streams = streams
        self.phase = shared.recorder.phase
        self.asked: int | None = None
        self.cohort: Cohort | None = shared.recorder.cohort
        self.number = number
        self._placed = shared.recorder.order.placed
        self._pending = shared.pending
        self._pending.senders.add(self)

    def end(self) -> Cohort | None:
        """Note that its outcome is known. Returns the cohort in which it was sent."""
        cohort, self.cohort = self.cohort, None
        self._pending.senders.discard(self)
        return cohort

    def place(self, outcome: Outcome) -> None:
        """Note what became of it."""
        self._placed[self.number] = outcome

    def abandon(self) -> None:
        """Note that its outcome will never be known, unless it is known already."""
        if self.cohort is not None:
            self._placed[self.number] = None
            self._pending.abandon(self)
        self._pending.senders.discard(self)
