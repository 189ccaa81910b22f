"""The difference of two proportions, at every moment of both runs at once.

The evidence of the two confidence sequences multiplies: the pairs (p, q) with M1(p) M2(q) < 1/alpha contain the true
pair with probability 1 - alpha. The interval of q - p is the projection of that region, tighter than the difference of
two intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

from chaos.verify.interval import STEPS, VAGUE, log_evidence, log_likelihood

GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Counts:
    """k hits in n."""

    k: int
    n: int

    @property
    def share(self) -> float:
        """k / n, and a half when n is 0."""
        return self.k / self.n if self.n else 0.5


@dataclass(frozen=True, slots=True)
class Difference:
    """q - p in [-1, 1]: the estimate, and the interval that contains the true difference."""

    estimate: float
    low: float
    high: float

    @property
    def seen(self) -> bool:
        """Whether a difference of 0 has been ruled out."""
        return self.low > 0 or self.high < 0


def difference(first: Counts, second: Counts, alpha: float) -> Difference:
    """Return how much larger the second proportion is than the first. Takes some milliseconds; `allows` tests a single
    difference faster."""
    estimate = estimated(first, second)
    return Difference(
        estimate,
        _edge(-1.0, estimate, lambda gap: allows(first, second, gap, alpha)),
        _edge(1.0, estimate, lambda gap: allows(first, second, gap, alpha)),
    )


def estimated(first: Counts, second: Counts) -> float:
    """Return the observed q - p; 0 while either has no counts."""
    return second.share - first.share if first.n and second.n else 0.0


def allows(first: Counts, second: Counts, gap: float, alpha: float) -> bool:
    """Return whether the second proportion may be larger than the first by exactly `gap`."""
    evidence = log_evidence(VAGUE, first.k, first.n) + log_evidence(VAGUE, second.k, second.n)
    return _best(first, second, gap) > evidence + log(alpha)


def _best(first: Counts, second: Counts, gap: float) -> float:
    """Return the log of the greatest likelihood of any pair (p, p + gap), by golden-section search; it is concave in
    p."""

    def joint(p: float) -> float:
        q = min(1.0, max(0.0, p + gap))
        return log_likelihood(p, first.k, first.n) + log_likelihood(q, second.k, second.n)

    low, high = max(0.0, -gap), min(1.0, 1.0 - gap)
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = joint(left), joint(right)
    for _ in range(50):
        if at_left < at_right:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = joint(right)
        else:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = joint(left)
    return max(at_left, at_right, joint(max(0.0, -gap)), joint(min(1.0, 1.0 - gap)))


def _edge(outside: float, inside: float, allowed: Callable[[float], bool]) -> float:
    """Return the end of the allowed values between `inside` and `outside`, by halving."""
    if allowed(outside):
        return outside
    for _ in range(STEPS // 2):
        middle = (outside + inside) / 2
        outside, inside = (outside, middle) if allowed(middle) else (middle, inside)
    return outside
