"""How many requests of each second took at most the true quantile, or failed, if they depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm

from chaos.verify.interval import Prior, excludes
from chaos.verify.quantile import OBSERVATIONS

Array = np.ndarray[Any, Any]


def ranks(
    level: float, random: np.random.Generator, *, seconds: int = 60, rate: int = 300, likeness: float = 0.0,
    slow: float = 0.0,
) -> Array:  # fmt: skip
    """Return k of each second's `rate` requests.

    `likeness` is the autoregression from one request to the next; `slow` is the part of the variance that whole seconds
    share, each nine tenths like the one before."""
    own = _series(seconds * rate, likeness, random)
    shared = np.repeat(_series(seconds, 0.9, random), rate) if slow else 0.0
    values = np.sqrt(1 - slow) * own + np.sqrt(slow) * shared
    return (values <= norm.ppf(level)).reshape(seconds, rate).sum(1)  # type: ignore[no-any-return]


def _series(n: int, likeness: float, random: np.random.Generator) -> Array:
    noise = random.normal(size=n) * np.sqrt(1 - likeness**2)
    noise[0] = random.normal()
    from scipy.signal import lfilter  # takes two seconds to import, which every run of the tests would pay

    return lfilter([1], [1, -likeness], noise)  # type: ignore[no-any-return]


def around(level: float) -> Prior:
    """Return the prior of a quantile's interval."""
    return Prior(max(level * OBSERVATIONS, 0.5), max((1 - level) * OBSERVATIONS, 0.5))


def alone(seconds: Sequence[tuple[int, int]]) -> float:
    """Count each request as one."""
    return 1.0


def misses(
    k: Array, rate: int, level: float, alpha: float, prior: Prior, alike: Callable[[Sequence[tuple[int, int]]], float]
) -> bool:
    """Return whether the true quantile or share is ever outside its interval, looked at from the second second on, if
    as many requests count as one as `alike` says."""
    seconds = [(int(each), rate) for each in k]
    rank = np.cumsum(k)
    for count in range(2, len(seconds) + 1, 2):
        factor = alike(seconds[:count])
        if excludes(prior, int(rank[count - 1]) / factor, count * rate / factor, alpha, level):
            return True
    return False
