"""How far the difference between delayed and undelayed requests may be off, because the system was not as busy for the
ones as for the others.

A delayed request reaches its upstream later than those that were sent with it. Where everything is slow in one second
and quick in the next, the two groups did not meet the same upstream, and the difference between their latencies is not
the delay alone. Undelayed requests show how slow it was, stretch by stretch: when a delayed one was sent, and when it
got upstream."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from math import inf

from chaos.claims.observations import Observed, Outcome, Pace, Running

LEAST = 3
"""Undelayed requests of a stretch from which it shows how slow everything was."""


def unsteadiness(stretches: Sequence[Pace], delay: float) -> float:
    """Return by how many seconds a difference between delayed and undelayed requests may be off; 0.0 where everything
    was as slow when a delayed request was sent as when it reached upstream, inf while the second is not known of any.

    Samples without a time line are one stretch, of which nothing can be said: 0.0."""
    late = sum(each.late for each in stretches)
    if len(stretches) < 2 or not late:
        return 0.0
    typical, ends = _filled(stretches), [each.end for each in stretches]
    last = max((index for index, each in enumerate(stretches) if each.typical is not None), default=-1)
    moved, known = 0.0, 0
    for index, each in enumerate(stretches):
        then = bisect_left(ends, each.end + delay)
        if each.late and then <= last:
            moved += each.late * (typical[then] - typical[index])
            known += each.late
    if not known:
        return inf
    lately = typical[bisect_left(ends, ends[-1] - 2 * delay) :]
    return abs(moved) / late + (late - known) / late * (max(lately) - min(lately))


def _filled(stretches: Sequence[Pace]) -> list[float]:
    """Return what is typical in each stretch; in one that does not show it, what was before (or comes first)."""
    now = next((each.typical for each in stretches if each.typical is not None), 0.0)
    found = []
    for each in stretches:
        now = now if each.typical is None else each.typical
        found.append(now)
    return found


def paces_of(
    observed: Observed, running: Running, name: object, late: Callable[[Outcome], bool | None]
) -> Sequence[Pace]:
    """Return how quick everything was in each stretch; those of before are kept while it is the group of this `name`.
    `late` says of an outcome whether it is delayed; None for outcomes of other groups."""
    if running.paces[0] != name:
        running.paces = name, []
    known = running.paces[1]
    known += (_pace(observed, index, late) for index in range(len(known), len(observed.stretches)))
    return known


def _pace(observed: Observed, index: int, late: Callable[[Outcome], bool | None]) -> Pace:
    medians = observed.medians[index]
    told = [(outcome, count, late(outcome)) for outcome, count in observed.stretches[index] if outcome in medians]
    others = [(count, medians[outcome]) for outcome, count, is_late in told if is_late is False]
    number = sum(count for count, _ in others)
    typical = sum(count * median for count, median in others) / number if number >= LEAST else None
    return Pace(observed.ends[index], sum(count for _, count, is_late in told if is_late), typical)
