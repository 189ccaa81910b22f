"""A ratio of two totals, such as calls per user request, from what each second had: an asymptotic confidence sequence.

The seconds' deviations from the ratio add up like a random walk; a normal mixture over its drift bounds it at all
times at once, up to the central limit theorem (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, "Time-uniform
central limit theory and asymptotic confidence sequences"). Nothing is said before there are ten seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log, sqrt

LEAST = 10
SHARPEST_AT = 30
"""Seconds after which the bound is tightest relative to the best at that moment."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """`high` is inf while nothing can be said."""

    estimate: float
    low: float
    high: float


def ratio(seconds: Sequence[tuple[float, float]], alpha: float) -> Ratio | None:
    """Total of the first numbers over total of the second; None while the second is 0."""
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
    """Standard deviations of one second by which the mean of n may be off."""
    tuning = (-2 * log(alpha) + log(1 - 2 * log(alpha))) / SHARPEST_AT
    spread = n * tuning + 1
    return sqrt(2 * spread / (n * n * tuning) * log(sqrt(spread) / alpha))
