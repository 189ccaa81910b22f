"""How long a worker goes on without its master: a while, and then it sends nothing until it hears it again.

What nobody counts and nobody can stop must not go on; and the master knows how much it can have missed (roster.py)."""

from __future__ import annotations

from gevent.event import Event

from chaos.load.roster import HOLDS_OUT
from chaos.load.sequence import Sequence


class Patience:
    """One worker's: it goes on for `longest` seconds. Moments are in seconds of any one clock."""

    def __init__(self, sequence: Sequence, now: float, longest: float = HOLDS_OUT):
        self._sequence, self._longest = sequence, longest
        self._heard_at = now
        self._since: float | None = None
        self._paused = 0.0

    def heard(self, now: float) -> None:
        """Note that the master was heard, and go on."""
        self._heard_at = now
        if self._since is not None:
            self._paused, self._since = self.paused(now), None
            resume, self._sequence.held_back = self._sequence.held_back, None
            if resume is not None:
                resume.set()

    def look(self, now: float) -> None:
        """Hold requests back if the master has not been heard for too long."""
        if self._since is None and now - self._heard_at > self._longest:
            self._since, self._sequence.held_back = now, Event()

    def paused(self, now: float) -> float:
        """Return for how many seconds in all requests were held back."""
        return self._paused + (now - self._since if self._since is not None else 0.0)
