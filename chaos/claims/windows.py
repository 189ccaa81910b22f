"""Count what happened while a policy was in force, and while it was not, by when requests were sent.

Clients know only in which stretch of the run, of about a second, they have sent a request. What was sent near an edge
of the window may be on either side of it and is not counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

from chaos.claims.finding import Finding, Tally
from chaos.claims.observations import Observed, Outcome
from chaos.formatting import plural
from chaos.policies.compiled import Policy
from chaos.verify.verdict import Verdict

MARGIN = 1.0
"""Seconds around an edge that are left out: a stretch begins when its first request is sent, the phase a little
earlier, and the two processes learn of it one after the other."""


@dataclass(frozen=True, slots=True)
class Window:
    """Counts of requests that were surely sent inside the window, and surely outside."""

    inside: Tally
    outside: Tally

    def refuted(self, finding: Finding) -> dict[str, Any]:
        """Return what a finding says when requests outside met the fault."""
        said = f"{plural(self.outside.k, 'request')} met it while the policy was not in force."
        return {"verdict": Verdict.FALSIFIED, "cause": "drift", "sentence": said, "needed": None}


def in_window(observed: Observed, phase: str, policy: Policy, classify: Callable[[Outcome], bool | None]) -> Window:
    """Return the counts by a policy's window."""
    opens, closes = policy.when.after, policy.when.after + (policy.when.for_ or inf)
    began: float | None = None
    counts = {True: [0, 0], False: [0, 0]}
    for index, stretch in enumerate(observed.stretches):
        start, end = observed.moment(index), observed.moment(index + 1)
        if began is None and any(outcome.phase == phase for outcome, _ in stretch):
            began = start
        if began is None:
            continue
        side = _side(start - began, end - began, opens, closes)
        if side is not None:
            k, n = _tally(stretch, classify)
            counts[side][0] += k
            counts[side][1] += n
    return Window(Tally(*counts[True]), Tally(*counts[False]))


def _side(start: float, end: float, opens: float, closes: float) -> bool | None:
    """Return whether a stretch is inside the window, None if it is near an edge."""
    if start >= opens + MARGIN * (opens > 0) and end <= closes - MARGIN:
        return True
    if end <= opens - MARGIN or start >= closes + MARGIN:
        return False
    return None


def _tally(stretch: list[tuple[Outcome, int]], classify: Callable[[Outcome], bool | None]) -> tuple[int, int]:
    k = n = 0
    for outcome, count in stretch:
        has = classify(outcome)
        if has is not None:
            n += count
            k += count if has else 0
    return k, n
