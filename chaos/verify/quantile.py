"""The values that a quantile of the latencies may still have, at every moment of a run at once.

If x is the true quantile of level p, the number of requests that took at most x is binomial with proportion p. So the
ranks that a confidence sequence for proportions allows at p bound the quantile by order statistics (Howard and Ramdas
2022, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification"). Nothing is
assumed about the distribution, and of requests that depend on each other as many count as one as
`chaos.verify.dependence` finds. Latencies come as ascending buckets, and an interval reaches to the outer edges of its
buckets."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf, isinf

from chaos.verify.interval import Prior, excludes

Bucket = tuple[float, float, int]
"""(from, to, count): the number of values between two bounds, in seconds."""

OBSERVATIONS = 100
"""Concentration of the mixture around the level: sharpest for runs of some thousand requests."""


@dataclass(frozen=True, slots=True)
class Span:
    """Values from `low` to `high`; `high` is inf while the quantile may lie beyond everything seen."""

    low: float
    high: float

    def __add__(self, seconds: float) -> Span:
        return Span(self.low + seconds, self.high + seconds)

    def minus(self, other: Span) -> Span:
        """Return all differences of a value here and a value there."""
        return Span(self.low - other.high, self.high - other.low)

    def over(self, other: Span) -> Span:
        """Return all ratios of a value here to a value there; both are latencies, not negative."""
        return Span(self.low / other.high if other.high else inf, self.high / other.low if other.low else inf)


class Sample:
    """Latencies in ascending buckets, with their running count, so that any rank is one bisection away."""

    __slots__ = ("buckets", "n", "running")

    def __init__(self, buckets: Iterable[Bucket]):
        self.buckets: Sequence[Bucket] = [bucket for bucket in buckets if bucket[2]]
        self.running = list(accumulate(count for _, _, count in self.buckets))
        self.n = self.running[-1] if self.running else 0

    def at_rank(self, rank: int) -> Bucket:
        """Return the bucket of the rank-th smallest value, from 1."""
        return self.buckets[bisect_left(self.running, rank)]

    def quantile(self, level: float) -> float:
        """Return the middle of the bucket that contains the quantile (nearest rank). Raises ValueError when empty."""
        if not self.n:
            raise ValueError("no quantile of an empty sample")
        low, high, _ = self.at_rank(min(self.n, max(1, int(level * self.n + 0.5))))
        return (low + high) / 2

    def at_most(self, seconds: float) -> int:
        """Return how many values are known to be `seconds` or less."""
        return sum(count for _, high, count in self.buckets if high <= seconds)


def quantile_span(sample: Sample, level: float, alpha: float, alike: float = 1.0, unknown: int = 0) -> Span:
    """Return the values that the quantile of this level may have; [0, inf) for an empty sample. `alike` requests count
    as one, because they depend on each other; `unknown` further values may be the least or the greatest of all."""
    if not sample.n or isinf(alike):
        return Span(0.0, inf)
    low, high = allowed_ranks(sample.n + unknown, level, alpha, alike)
    return Span(
        sample.at_rank(low - unknown)[0] if low > unknown else 0.0,
        sample.at_rank(high + 1)[1] if high < sample.n else inf,
    )


def allowed_ranks(n: int, level: float, alpha: float, alike: float = 1.0) -> tuple[int, int]:
    """Return the least and the greatest number of values at or below the quantile that are not excluded."""
    prior = Prior(max(level * OBSERVATIONS, 0.5), max((1 - level) * OBSERVATIONS, 0.5))
    best = round(level * n)

    def excluded(k: int) -> bool:
        return excludes(prior, k / alike, n / alike, alpha, level)

    return _outermost(best, 0, excluded), _outermost(best, n, excluded)


def _outermost(inside: int, limit: int, excluded: Callable[[int], bool]) -> int:
    """Return the last number from `inside` towards `limit` that is not excluded, by halving."""
    if not excluded(limit):
        return limit
    while abs(limit - inside) > 1:
        middle = (limit + inside) // 2
        if excluded(middle):
            limit = middle
        else:
            inside = middle
    return inside
