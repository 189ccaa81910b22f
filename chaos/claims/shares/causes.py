"""Name the cause that fits best what was seen, not the first that was found.

An explanation's gain is how much better, in nats, it fits than one common share for all requests. Where two fit almost
equally well, the one that is named first below is the simpler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ORDER = ("per-task", "per-connection", "drift", "by-turns", "in-bursts", "coupled")

CLOSE = {"drift": 0.4}
AT_LEAST = 0.9
"""Of the greatest gain: explanations with so much of it fit almost equally well. One change takes less, because where
there is one, blocks of requests before and after it differ as those of bursts do."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A cause, how well it fits, and whether it alone is evidence enough."""

    cause: str
    gain: float
    sure: bool


def best(explanations: Sequence[Explanation], least: float) -> str:
    """Return the cause that fits best; empty if none is better than one common share by `least` nats."""
    most = max((each.gain for each in explanations), default=0.0)
    near = [each.cause for each in explanations if each.gain >= max(least, CLOSE.get(each.cause, AT_LEAST) * most)]
    return min(near, key=ORDER.index, default="")
