"""Requests of a worker on another host of which nobody can say whether they failed, or only its own network did.

While a worker does not hear its load, it may be cut off, from the gateway, too. So a request that fails is counted once
the load has been heard again after it, and soon; else it is unknown, as what is in flight for ever is, and a claim has
to hold whatever became of it. So is one that was in flight while the worker was cut off: its time is not the
gateway's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chaos.load.order import Outcome
from chaos.load.pending import InFlight, Pending
from chaos.load.recorder import Cohort

CUT_OFF = 2.0  # seconds without a word from the load, which answers once a second


@dataclass(eq=False, slots=True)
class Doubtful:
    """A request that failed; `count` counts it."""

    cohort: Cohort | None
    phase: str
    asked: int | None
    number: int
    count: Callable[[], None]


class Doubts:
    """Those of one process, from `now` on. Moments are perf_counter's; what was sent before `until` was in flight while
    the worker was cut off. `placed` is the order's (order.py)."""

    def __init__(self, pending: Pending, placed: dict[int, Outcome | None], now: float):
        self.until = float("-inf")
        self._pending, self._placed = pending, placed
        self._held: list[Doubtful] = []
        self._heard_at = now

    def take(self, sender: InFlight, number: int, sent: float, failed: bool, count: Callable[[], None]) -> bool:
        """Return whether a request is not counted now, which was sent at `sent` and has its outcome."""
        if sent < self.until:
            self._pending.abandon(sender)
            self._placed[number] = None
            return True
        if not failed:
            return False
        held = Doubtful(sender.cohort, sender.phase, sender.asked, number, count)
        self._pending.senders.add(held)
        self._held.append(held)
        sender.cohort = None
        return True

    def heard(self, now: float) -> None:
        """Note that the load was heard: what failed until now has failed, unless the worker was cut off."""
        if self._cut_off(now):
            self.until = now
        self._heard_at = now
        held, self._held = self._held, []
        for each in held:
            self._pending.senders.discard(each)
            each.count()

    def look(self, now: float) -> None:
        """Give up what failed while the worker has been cut off."""
        self._cut_off(now)

    def _cut_off(self, now: float) -> bool:
        if now - self._heard_at <= CUT_OFF:
            return False
        held, self._held = self._held, []
        for each in held:
            self._pending.senders.discard(each)
            self._pending.abandon(each)
            self._placed[each.number] = None
        return True
