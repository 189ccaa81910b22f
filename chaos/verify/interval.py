"""The proportions that the counts still allow, at every moment of a run at once: a mixture confidence sequence.

For a true proportion q and any fixed distribution pi of proportions, M(n) = (mean of L under pi) / L(q), with the
likelihood L(q) = q^k (1-q)^(n-k), is a martingale that starts at 1. By Ville's inequality it ever reaches 1/alpha
with probability at most alpha. So the q with M(n) < 1/alpha contain the truth for every n at once: a run may be
watched, stopped early or interrupted without breaking the guarantee.

Sources: Robbins 1970, "Statistical methods related to the law of the iterated logarithm"; Howard, Ramdas, McAuliffe
and Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences"; Waudby-Smith and Ramdas 2024,
"Estimating means of bounded random variables by betting"."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, lgamma, log, log1p

STEPS = 64
"""Halvings of [0, 1] after which a bound is exact to the last digit of a float."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Proportions from `low` to `high`, in [0, 1]."""

    low: float
    high: float

    def __contains__(self, share: float) -> bool:
        return self.low <= share <= self.high

    def intersect(self, other: Interval) -> Interval | None:
        """Return the part that both allow; None when they are disjoint. The intersection of a confidence sequence over
        time is as valid as the sequence."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else None


@dataclass(frozen=True, slots=True)
class Prior:
    """The distribution in the mixture: `weight` on the single point `centre`, the rest Beta(a, b).

    Any choice is valid; it only decides which truths are found soon. The point is the share of a right gateway, so that
    it is verified early; the Beta part, some tolerances wide, finds a wrong one wherever it is."""

    a: float
    b: float
    centre: float = 0.5
    weight: float = 0.0


# Jeffreys's prior: nothing is assumed about the share. For claims like "failures < 5 %".
VAGUE = Prior(0.5, 0.5)

# Found by simulation: at 50 % and 2 points the interval of the median run is inside the range after 8 200 requests with
# these, 14 000 without the point; more weight on it gains little and makes wrong gateways take longer.
POINT_WEIGHT = 0.8
SPREAD = 2.0


def prior_around(share: float, tolerance: float) -> Prior:
    """Return the prior for the claim that a proportion is `share` within `tolerance`.

    Its Beta part has a standard deviation of two tolerances, and at least half an observation on either side."""
    variance = share * (1 - share)
    observations = variance / (SPREAD * tolerance) ** 2
    return Prior(max(share * observations, 0.5), max((1 - share) * observations, 0.5), share, POINT_WEIGHT)


def log_likelihood(share: float, k: float, n: float) -> float:
    """Return the log of share^k (1 - share)^(n - k), with 0^0 = 1; -inf when `share` makes the counts impossible."""
    if (k > 0 and share <= 0) or (k < n and share >= 1):
        return -inf
    hits = k * log(share) if k > 0 else 0.0
    return hits + ((n - k) * log1p(-share) if k < n else 0.0)


def log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def log_evidence(prior: Prior, k: float, n: float) -> float:
    """Return the log of the likelihood's mean under the prior."""
    broad = log_beta(prior.a + k, prior.b + n - k) - log_beta(prior.a, prior.b)
    if not prior.weight:
        return broad
    return log_sum(log(prior.weight) + log_likelihood(prior.centre, k, n), log1p(-prior.weight) + broad)


def log_sum(x: float, y: float) -> float:
    """Return log(e^x + e^y) without overflow."""
    low, high = (x, y) if x < y else (y, x)
    return high + log1p(exp(low - high)) if low > -inf else high


def divergence(truth: float, other: float) -> float:
    """Return the Kullback-Leibler divergence in nats per request: how fast evidence for `truth` against `other`
    grows."""
    if other in (0, 1) and truth != other:
        return inf
    hits = truth * log(truth / other) if truth > 0 else 0.0
    return hits + ((1 - truth) * log((1 - truth) / (1 - other)) if truth < 1 else 0.0)


def excludes(prior: Prior, k: float, n: float, alpha: float, share: float) -> bool:
    """Return whether the confidence sequence rules `share` out, without the cost of finding its ends."""
    return n > 0 and log_evidence(prior, k, n) - log_likelihood(share, k, n) >= -log(alpha)


def interval(prior: Prior, k: float, n: float, alpha: float) -> Interval:
    """Return all proportions that are not excluded, which form one interval around k / n; all of [0, 1] when n is 0.

    Raises ValueError when k is not in 0..n or alpha not in (0, 1)."""
    if not 0 <= k <= n or not 0 < alpha < 1:
        raise ValueError(f"an interval needs 0 <= k <= n and 0 < alpha < 1, not k={k}, n={n}, alpha={alpha}")
    if n == 0:
        return Interval(0.0, 1.0)
    least = log_evidence(prior, k, n) + log(alpha)
    best = k / n
    low = 0.0 if log_likelihood(0.0, k, n) > least else _edge(0.0, best, k, n, least)
    high = 1.0 if log_likelihood(1.0, k, n) > least else _edge(1.0, best, k, n, least)
    return Interval(low, high)


def _edge(outside: float, inside: float, k: float, n: float, least: float) -> float:
    """Return where the likelihood, which rises all the way from `outside` to `inside`, passes `least`; rounded to the
    outside."""
    for _ in range(STEPS):
        middle = (outside + inside) / 2
        if log_likelihood(middle, k, n) > least:
            inside = middle
        else:
            outside = middle
    return outside
