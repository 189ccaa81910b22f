"""Which cohorts can be reported, and what is still in flight of those that were.

A cohort is reported when all of it has its responses. One that hangs must not hide the rest: HOLD seconds after all
should have come, a cohort is reported although a hundredth of it is missing, and PATIENCE seconds later whatever is
missing. What is in flight then is pending: its outcome is unknown until it comes, and for ever if it never does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from math import ceil
from time import perf_counter
from typing import Protocol

from chaos.load.recorder import Cohort, Recorder
from chaos.protocol.digest import ANY_TASK, Digest

FEW = 0.01
"""The part of a cohort that may be missing: half of the tolerance of a share, and each one counts as unknown."""

PATIENCE = 5.0
"""Seconds that an upstream may be slower than the rules alone would be before a cohort is reported incomplete."""


class InFlight(Protocol):
    """Someone who sends requests. `cohort` is that of the request whose response they wait for, or None; `phase` the
    phase in which it was sent, and `asked` its task's index, None if that is known only when the response has come."""

    cohort: Cohort | None
    phase: str
    asked: int | None

    def __hash__(self) -> int: ...


class Pending:
    """The requests in flight of one process. `hold` is how many seconds a response takes at most by the rules alone,
    and `interval` the seconds between two reports. `senders` are all who may have sent one; `abandoned` counts
    requests that were sent and whose sender was stopped before the response came. What was sent before `told_until`
    (perf_counter's value) has been reported."""

    def __init__(self, recorder: Recorder, hold: float, interval: float):
        self.senders: set[InFlight] = set()
        self.told_until = 0.0
        self.abandoned = 0
        self._recorder = recorder
        self._hold = ceil(hold / interval)
        self._longest = ceil((hold + PATIENCE) / interval)
        self._before = 0  # the first cohort that has not been reported
        self._never: Counter[tuple[str, str]] = Counter()
        self._told: Counter[tuple[str, str]] = Counter()

    def abandon(self, sender: InFlight) -> None:
        """Note that the response this sender waits for will never be seen."""
        self.abandoned += 1
        self._never[self._place(sender)] += 1
        sender.cohort = None

    def digest(self) -> Digest:
        """Begin a new cohort, and return what can be reported of the others."""
        now, flying = self._recorder.next_cohort(), self._flying()
        per_cohort = Counter(sender.cohort.number for sender in flying if sender.cohort is not None)
        before = next((each.number for each in self._recorder.cohorts if not self._ready(each, now, per_cohort)), now)
        self._before = before
        self.told_until = next(each.since for each in self._recorder.cohorts if each.number == before)
        made = self._recorder.digest(before=before, in_flight=min(per_cohort, default=now))
        return self._with_pending(made, [each for each in flying if each.cohort and each.cohort.number < before])

    def held(self) -> Counter[tuple[str, str]]:
        """Return how many responses have come that no digest has told yet, by phase and task."""
        found: Counter[tuple[str, str]] = Counter()
        for cohort in self._recorder.cohorts:
            for outcome in cohort.rare.values():
                found[outcome.key.phase, outcome.key.task] += sum(outcome.latency.values())
        return found

    def untold(self) -> Counter[tuple[str, str]]:
        """Return how many requests have been sent that no digest has told, neither as a response nor as pending, by
        phase and task."""
        found = self.held()
        for sender in self._flying():
            if sender.cohort is not None and sender.cohort.number >= self._before:
                found[self._place(sender)] += 1
        return found

    def last_digest(self) -> Digest:
        """Return all that has not been reported; whatever is in flight is pending."""
        self.told_until = perf_counter()
        return self._with_pending(self._recorder.digest(), self._flying())

    def _flying(self) -> list[InFlight]:
        return [sender for sender in self.senders if sender.cohort is not None]

    def _ready(self, cohort: Cohort, now: int, per_cohort: Counter[int]) -> bool:
        """Return whether a cohort can be reported."""
        missing, age = per_cohort[cohort.number], now - cohort.number
        if not missing or age > self._longest or cohort.number < self._before:
            return age > 0
        return age > self._hold and missing <= FEW * (missing + cohort.count)

    def _with_pending(self, made: Digest, flying: Collection[InFlight]) -> Digest:
        """Add by how much the number of pending requests has grown since the last report."""
        current = Counter(self._never)
        current.update(self._place(sender) for sender in flying)
        grown = {place: current[place] - self._told[place] for place in current.keys() | self._told.keys()}
        made.pending = {place: more for place, more in grown.items() if more}
        self._told = current
        return made

    def _place(self, sender: InFlight) -> tuple[str, str]:
        return sender.phase, ANY_TASK if sender.asked is None else self._recorder.name(sender.asked)
