"""Count what happened while a policy was in force, and while it was not, by when requests were sent.

Clients know only in which stretch of the run, of about a second, they have sent a request. What was sent near an edge
of a window may be on either side of it and is not counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

from chaos.claims.finding import Tally
from chaos.claims.observations import Classify, Observed, tally_of
from chaos.formatting import plural
from chaos.policies.compiled import Policy
from chaos.verify.verdict import Verdict

MARGIN = 1.0
"""Seconds around an edge that are left out: a stretch begins when its first request is sent, the phase a little
earlier, and the two processes learn of it one after the other."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was sent from `start` to `end`, in seconds since the phase began, and how much of it satisfies a claim."""

    start: float
    end: float
    tally: Tally


@dataclass(frozen=True, slots=True)
class Window:
    """Counts of requests that were surely sent inside a window, and surely outside."""

    inside: Tally
    outside: Tally

    def refuted(self) -> dict[str, Any]:
        """Return what a finding says when requests outside met the fault."""
        said = f"{plural(self.outside.k, 'request')} met it while the policy was not in force."
        return {"verdict": Verdict.FALSIFIED, "cause": "drift", "sentence": said, "needed": None}


def stretches(observed: Observed, phase: str, classify: Classify) -> Iterator[Stretch]:
    """Yield the stretches of a phase, with how many of their requests satisfy a claim."""
    began: float | None = None
    for index, outcomes in enumerate(observed.stretches):
        start, end = observed.moment(index), observed.moment(index + 1)
        if began is None and any(outcome.phase == phase for outcome, _ in outcomes):
            began = start
        if began is not None:
            yield Stretch(start - began, end - began, tally_of(outcomes, classify))


def in_window(
    observed: Observed, phase: str, classify: Classify, opens: float, length: float | None, every: float | None = None
) -> Window:
    """Return the counts by a window that `opens` after the phase began, so many seconds long (None: to its end), and
    opens again each `every` seconds."""
    counts = {True: [0, 0], False: [0, 0]}
    for each in stretches(observed, phase, classify):
        side = _side(each, opens, inf if length is None else length, every)
        if side is not None:
            counts[side][0] += each.tally.k
            counts[side][1] += each.tally.n
    return Window(Tally(*counts[True]), Tally(*counts[False]))


def by_policy(observed: Observed, phase: str, policy: Policy, classify: Classify) -> Window:
    """Return the counts by a policy's own window."""
    return in_window(observed, phase, classify, policy.when.after, policy.when.for_)


def _side(each: Stretch, opens: float, length: float, every: float | None) -> bool | None:
    """Return whether a stretch is inside the window, None if it is near an edge."""
    start, end = each.start - opens, each.end - opens
    if every is not None and start >= 0:
        whole = start // every * every
        start, end = start - whole, end - whole
    late = MARGIN if opens > 0 or each.start >= (every or inf) else 0.0  # a phase begins with its first request
    if start >= late and end <= length - MARGIN:
        return True
    if end <= -MARGIN or (start >= length + MARGIN and (every is None or end <= every - MARGIN)):
        return False
    return None
