"""A claim about a proportion, and the verdict that counts give it.

A claim is a range of proportions. Verified: the confidence sequence lies inside the range. Falsified: it misses it
altogether. Whatever the truth, only one of these can be wrong, and ever being so has probability `alpha` at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

from chaos.verify.interval import VAGUE, Interval, Prior, excludes, interval, prior_around
from chaos.verify.verdict import Verdict

DEFAULT_TOLERANCE = 0.02
CERTAIN_TOLERANCE = 0.001


@dataclass(frozen=True, slots=True)
class Claim:
    """The true proportion lies in [low, high]. `centre` is where it is said to be (the limit of a one-sided claim).

    `certain`: it is said to be exactly 0 or exactly 1, so that one counter-example refutes it."""

    low: float
    high: float
    centre: float
    prior: Prior
    certain: bool = False

    @property
    def tolerance(self) -> float:
        """How far the truth may be from the centre, at most."""
        return max(self.high - self.centre, self.centre - self.low)

    def interval(self, k: float, n: float, alpha: float) -> Interval:
        """The proportions that k of n still allow."""
        return interval(self.prior, k, n, alpha)

    def assess(self, k: float, n: float, alpha: float) -> Verdict:
        """The verdict of k in n. Costs microseconds, whatever n is: only the two ends of the range are looked at."""
        if not 0 <= k <= n:
            raise ValueError(f"k={k} is not in 0..n={n}")
        if n == 0:
            return Verdict.NO_TRAFFIC
        if self.certain and self._refuted(k, n):
            return Verdict.FALSIFIED
        return self._decide(k / n, lambda share: excludes(self.prior, k, n, alpha, share))

    def _refuted(self, k: float, n: float) -> bool:
        return k > 0 if self.centre == 0 else k < n

    def _decide(self, best: float, excluded: Callable[[float], bool]) -> Verdict:
        """Only whichever ends lie between the best guess and the rest of [0, 1] matter: the sequence has no gaps."""
        if best < self.low:
            return Verdict.FALSIFIED if excluded(self.low) else Verdict.INCONCLUSIVE
        if best > self.high:
            return Verdict.FALSIFIED if excluded(self.high) else Verdict.INCONCLUSIVE
        inside = (self.low <= 0 or excluded(self.low)) and (self.high >= 1 or excluded(self.high))
        return Verdict.VERIFIED if inside else Verdict.INCONCLUSIVE

    def needed(self, k: int, n: int, alpha: float, limit: int = 10**12) -> int | None:
        """How many more requests decide this, if they come as claimed (as so far, where that is ruled out or no point).

        None when it is decided already, or when `limit` would not do."""
        if n and self.assess(k, n, alpha).decided:
            return None
        as_claimed = n == 0 or (self.prior.weight > 0 and self._plausible(k, n, alpha))
        share = self.centre if as_claimed else k / n
        return _first(lambda more: self.assess(k + more * share, n + more, alpha).decided, limit)

    def _plausible(self, k: int, n: int, alpha: float) -> bool:
        return not excludes(self.prior, k, n, alpha, self.centre)


def within(share: float, tolerance: float = DEFAULT_TOLERANCE) -> Claim:
    """A proportion is `share`, give or take `tolerance`: at most half of what lies on either side of it; 0.1 point
    for 0 and for 1, which say never and always. Raises ValueError when share is not in 0..1 or the tolerance not
    positive."""
    if not (0 <= share <= 1 and isfinite(tolerance) and tolerance > 0):
        raise ValueError(f"a claim wants a share in 0..1 and a positive tolerance, not {share} and {tolerance}")
    certain = share in (0, 1)
    reach = min(tolerance, CERTAIN_TOLERANCE) if certain else min(tolerance, share / 2, (1 - share) / 2)
    prior = prior_around(share, reach)
    return Claim(max(0.0, share - reach), min(1.0, share + reach), share, prior, certain)


def below(limit: float) -> Claim:
    """A proportion is at most `limit`."""
    return Claim(0.0, limit, limit, VAGUE)


def above(limit: float) -> Claim:
    """A proportion is at least `limit`."""
    return Claim(limit, 1.0, limit, VAGUE)


def split_alpha(confidence: float, claims: int) -> float:
    """Each claim's part of 1 - confidence, so that a run is wrong anywhere at most so often (Bonferroni)."""
    return (1 - confidence) / max(claims, 1)


def divide_alpha(confidence: float, weights: Sequence[float]) -> list[float]:
    """The same in proportion to weights, which must be fixed beforehand."""
    total = sum(weights)
    return [(1 - confidence) * weight / total for weight in weights]


def _first(decided: Callable[[int], bool], limit: int) -> int | None:
    """The smallest positive number that decides, by doubling and halving; None beyond `limit`."""
    high = 1
    while not decided(high):
        high *= 2
        if high > limit:
            return None
    low = high // 2
    while high - low > max(1, low // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high
