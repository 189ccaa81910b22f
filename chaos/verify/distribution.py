"""How far an empirical distribution function may be from the true one, at every moment at once.

Source: Howard and Ramdas, Sequential estimation of quantiles with applications to A/B testing and best-arm
identification, Bernoulli 2022, Theorem 2: with probability 1 - alpha, for all n at once, the greatest distance is below
0.85 sqrt((log log(e n) + 0.8 log(1612 / alpha)) / n)."""

from __future__ import annotations

from math import e, inf, log, sqrt


def distance(n: int, alpha: float) -> float:
    """Return the greatest distance that n values leave possible; infinite without any."""
    if n < 1:
        return inf
    return 0.85 * sqrt((log(log(e * n)) + 0.8 * log(1612 / alpha)) / n)
