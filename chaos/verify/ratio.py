"""A ratio of two totals, such as calls per user request, from each second's numbers: an asymptotic confidence sequence.

The seconds' deviations from the ratio add up like a random walk; a normal mixture over its drift bounds it at all
times at once, up to the central limit theorem (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, "Time-uniform
central limit theory and asymptotic confidence sequences"). There is no bound before ten seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log, sqrt

LEAST = 10
SHARPEST_AT = 30
"""Seconds after which the bound is nearest to the tightest one possible at that moment."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The estimate and its bounds; `high` is inf while there is no bound."""

    estimate: float
    low: float
    high: float


def ratio(seconds: Sequence[tuple[float, float]], alpha: float) -> Ratio | None:
    """Return the total of the first numbers over the total of the second; None while the second total is 0."""
    used = [(over, under) for over, under in seconds if over or under]
    above, below = sum(over for over, _ in used), sum(under for _, under in used)
    if not below:
        return None
    estimate = above / below
    if len(used) < LEAST:
        return Ratio(estimate, 0.0, inf)
    variance = sum((over - estimate * under) ** 2 for over, under in used) / (len(used) - 1)
    half = sqrt(variance) * _boundary(len(used), alpha) / (below / len(used))
    return Ratio(estimate, max(0.0, estimate - half), estimate + half)


def _boundary(n: int, alpha: float) -> float:
    """Return how far the mean of n seconds may be off, in standard deviations of one second."""
    tuning = (-2 * log(alpha) + log(1 - 2 * log(alpha))) / SHARPEST_AT
    spread = n * tuning + 1
    return sqrt(2 * spread / (n * n * tuning) * log(sqrt(spread) / alpha))
