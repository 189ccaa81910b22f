"""A claim about a proportion, and the verdict that the counts give.

A claim is a range of proportions. Three sequential tests locate the true one; each is valid at every moment at once:

* Verified, for a two-sided claim: the mean likelihood of proportions inside the range (nearly all of it at the centre,
  where a right gateway stands) is 1/alpha times a fixed mixture of the likelihoods at the two edges. The ratio is a
  martingale under that mixture, so the two probabilities of a false verification, weighted as the edges are, add up to
  alpha at most (Ville's inequality; Wald 1945 for the idea of weighing a composite hypothesis). `EDGE` balances them.
* Falsified: the Beta mixture alone, with an alpha of its own, rules out the whole range.
* A one-sided claim is decided by the confidence sequence around its only edge.

Whatever the truth is, only one of the two verdicts can be wrong, and it is ever wrong with probability `alpha` at most.

Unknown outcomes are not evidence: all of them may have been hits, or none, and a verdict has to hold in both cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite, log

from chaos.verify.interval import (
    VAGUE,
    Interval,
    Prior,
    divergence,
    excludes,
    interval,
    log_likelihood,
    log_sum,
    prior_around,
)
from chaos.verify.verdict import Verdict

DEFAULT_TOLERANCE = 0.02
CERTAIN_TOLERANCE = 0.001

CENTRE = 0.97
"""Weight of the centre among the proportions that verify. At 50 % and 2 points the median run takes 7 040 requests
with it, 7 240 with 0.9; the rest lets a truth of 51 % be verified, too."""

RINGS = 8
"""The other weight lies on points ever nearer to the edges, each half as far from its edge as the one before, so that
every truth inside is much nearer to one of them than to the edge (except in the last 1/256 of the tolerance)."""

EDGE = 1.25
"""How much the weights of the edges lean towards the one that is harder to exclude. Found by simulation: false
verifications at either edge stay at or below alpha from 0.1 to 99.9 % (docs/verdicts.md)."""


@dataclass(frozen=True)
class Claim:
    """The true proportion lies in [low, high]. `centre` is the claimed one (the limit of a one-sided claim).

    `certain`: it is claimed to be exactly 0 or exactly 1, so that one counter-example refutes it."""

    low: float
    high: float
    centre: float
    prior: Prior
    certain: bool = False

    @property
    def tolerance(self) -> float:
        """The greatest distance of the truth from the centre."""
        return max(self.high - self.centre, self.centre - self.low)

    def interval(self, k: float, n: float, alpha: float, unknown: float = 0) -> Interval:
        """Return the proportions that k of n still allow, with `unknown` further outcomes being hits or not.

        Once the claim is decided they end at its range, because the verdict's own test is sharper. Not where a single
        counter-example refuted never or always: the share may still be as small as it was to be."""
        low = interval(self.prior, k, n + unknown, alpha).low
        high = interval(self.prior, k + unknown, n + unknown, alpha).high
        verdict = self.assess(k, n, alpha, unknown)
        if verdict is Verdict.VERIFIED:
            return Interval(max(low, self.low), min(high, self.high))
        if verdict is Verdict.FALSIFIED and not self.certain:
            return self._outside(k + unknown / 2, n + unknown, low, high)
        return Interval(low, high)

    def _outside(self, k: float, n: float, low: float, high: float) -> Interval:
        """Return the part of low..high beyond the range, on the side of k / n."""
        if k / n < self.low:
            return Interval(low, min(high, self.low))
        return Interval(max(low, self.high), high) if k / n > self.high else Interval(low, high)

    def assess(self, k: float, n: float, alpha: float, unknown: float = 0) -> Verdict:
        """Return the verdict of k in n; takes microseconds, whatever n is, because only a few proportions are tested.

        `unknown` further outcomes are not evidence: verified and falsified must hold whatever they were. Raises
        ValueError for impossible counts."""
        if not 0 <= k <= n or unknown < 0:
            raise ValueError(f"k={k} is not in 0..n={n}, or the number of unknown outcomes, {unknown}, is negative")
        if n + unknown == 0:
            return Verdict.NO_TRAFFIC
        if self.certain and unknown:
            return self._assess_certain(k, n, alpha, unknown)
        least = self._assess(k, n + unknown, alpha)
        if not unknown or not least.decided:
            return least
        most = self._assess(k + unknown, n + unknown, alpha)
        same = most is least and (
            least is Verdict.VERIFIED or self._side(k, n + unknown) == self._side(k + unknown, n + unknown)
        )
        return least if same else Verdict.INCONCLUSIVE

    def _assess_certain(self, k: float, n: float, alpha: float, unknown: float) -> Verdict:
        """Assess never or always beside unknown outcomes: only a known counter-example refutes it, and it is verified
        when it would be within its tolerance even if every unknown outcome were one."""
        if self._refuted(k, n):
            return Verdict.FALSIFIED
        worst = k + unknown if self.centre == 0 else k
        inside = self.low <= worst / (n + unknown) <= self.high
        return Verdict.VERIFIED if inside and self._verifies(worst, n + unknown, alpha) else Verdict.INCONCLUSIVE

    def _side(self, k: float, n: float) -> bool:
        return k / n > self.centre

    def _assess(self, k: float, n: float, alpha: float) -> Verdict:
        if self.certain and self._refuted(k, n):
            return Verdict.FALSIFIED
        share = k / n
        if not self.low <= share <= self.high:
            edge = self.low if share < self.low else self.high
            return Verdict.FALSIFIED if excludes(self._broad, k, n, alpha, edge) else Verdict.INCONCLUSIVE
        return Verdict.VERIFIED if self._verifies(k, n, alpha) else Verdict.INCONCLUSIVE

    def _refuted(self, k: float, n: float) -> bool:
        return k > 0 if self.centre == 0 else k < n

    def _verifies(self, k: float, n: float, alpha: float) -> bool:
        if not self.prior.weight:
            return all(excludes(self.prior, k, n, alpha, edge) for edge in (self.low, self.high) if 0 < edge < 1)
        inside = _mean_likelihood(self.inside, k, n)
        return inside - _mean_likelihood(self.edges, k, n) >= -log(alpha)

    @cached_property
    def _broad(self) -> Prior:
        """The prior's Beta part alone."""
        return Prior(self.prior.a, self.prior.b)

    @cached_property
    def inside(self) -> tuple[tuple[float, float], ...]:
        """Proportions inside the range and their weights, which add up to 1: the hypothesis that is verified."""
        return tuple(_inside(self.low, self.centre, self.high))

    @cached_property
    def edges(self) -> tuple[tuple[float, float], ...]:
        """The ends of the range and their weights, which add up to 1: the hypotheses that have to be ruled out."""
        if self.low <= 0 or self.high >= 1:
            return ((self.low if self.low > 0 else self.high, 1.0),)
        below, above = divergence(self.centre, self.low), divergence(self.centre, self.high)
        low = 0.5 - EDGE * (0.5 - above / (below + above))
        return (self.low, low), (self.high, 1 - low)

    def needed(self, k: float, n: float, alpha: float, limit: int = 10**12) -> int | None:
        """Return how many more requests decide the claim, if they come as claimed, or as observed so far if the claim
        is ruled out or one-sided.

        None when it is decided already, or when `limit` requests would not suffice."""
        if n and self.assess(k, n, alpha).decided:
            return None
        as_claimed = n == 0 or (self.prior.weight > 0 and self._plausible(k, n, alpha))
        share = self.centre if as_claimed else k / n
        return first_that_decides(lambda more: self.assess(k + more * share, n + more, alpha).decided, limit)

    def _plausible(self, k: float, n: float, alpha: float) -> bool:
        return not excludes(self.prior, k, n, alpha, self.centre)


def _inside(low: float, centre: float, high: float) -> Iterator[tuple[float, float]]:
    """Yield the points inside the range and their weights."""
    sides = [edge for edge in (low, high) if edge != centre]
    scale = (1 - CENTRE) / len(sides) / (1 - 2.0**-RINGS)
    yield centre, CENTRE
    for ring in range(1, RINGS + 1):
        for edge in sides:
            yield edge + (centre - edge) * 2.0**-ring, scale * 2.0**-ring


def _mean_likelihood(points: Sequence[tuple[float, float]], k: float, n: float) -> float:
    """Return the log of the likelihood's mean over weighted proportions."""
    total = -inf
    for share, weight in points:
        total = log_sum(total, log(weight) + log_likelihood(share, k, n))
    return total


def within(share: float, tolerance: float = DEFAULT_TOLERANCE, certain: float = CERTAIN_TOLERANCE) -> Claim:
    """Return the claim that a proportion is `share` within `tolerance`, which is cut to half of the distance to 0 and
    to 1.

    0 and 1 mean never and always: one counter-example refutes them, and they are verified to within `certain`. Raises
    ValueError when share is not in 0..1 or a tolerance is not positive."""
    if not (0 <= share <= 1 and isfinite(tolerance) and tolerance > 0 and isfinite(certain) and certain > 0):
        raise ValueError(f"a claim needs a share in 0..1 and a positive tolerance, not {share} and {tolerance}")
    exact = share in (0, 1)
    reach = min(tolerance, certain) if exact else min(tolerance, share / 2, (1 - share) / 2)
    prior = prior_around(share, reach)
    return Claim(max(0.0, share - reach), min(1.0, share + reach), share, prior, exact)


def certain_tolerance(tolerance: float) -> float:
    """Return how far never and always may be off, beside shares of this tolerance: a twentieth of it, and as much as
    they leave open by default at least."""
    return max(CERTAIN_TOLERANCE, tolerance / 20)


def below(limit: float) -> Claim:
    """Return the claim that a proportion is at most `limit`."""
    return Claim(0.0, limit, limit, VAGUE)


def rarely(limit: float) -> Claim:
    """Return the claim that a proportion is 0, with up to `limit` forgiven: verified about as soon as *never* is, and
    not refuted by a single counter-example."""
    return Claim(0.0, limit, 0.0, prior_around(0.0, limit))


def above(limit: float) -> Claim:
    """Return the claim that a proportion is at least `limit`."""
    return Claim(limit, 1.0, limit, VAGUE)


def split_alpha(confidence: float, claims: int) -> float:
    """Return each claim's part of 1 - confidence, so that any verdict of the run is wrong with at most that probability
    (Bonferroni)."""
    return (1 - confidence) / max(claims, 1)


def divide_alpha(confidence: float, weights: Sequence[float]) -> list[float]:
    """Divide 1 - confidence in proportion to weights, which must be fixed beforehand."""
    total = sum(weights)
    return [(1 - confidence) * weight / total for weight in weights]


def first_that_decides(decided: Callable[[int], bool], limit: int) -> int | None:
    """Return the smallest positive number that decides, within a thousandth, by doubling and halving; None beyond
    `limit`."""
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
