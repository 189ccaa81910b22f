"""Thousands of runs at once, to see how often verdicts are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaln, logsumexp, xlog1py, xlogy

from chaos.verify.claim import Claim

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Runs:
    """How `until: decided` ended: `verified` and `falsified` flag each run, `requests` is when it stopped."""

    verified: Array
    falsified: Array
    requests: Array


def decided_runs(
    claim: Claim, truth: float, alpha: float, *, runs: int, step: int, limit: int, seed: list[int]
) -> Runs:
    """Runs that are judged every `step` requests and stop at the first verdict, or at `limit` without one."""
    random = np.random.default_rng(seed)
    verified, falsified = np.zeros(runs, bool), np.zeros(runs, bool)
    requests = np.full(runs, limit)
    going = np.arange(runs)
    k, n = np.zeros(runs), 0
    while n < limit and going.size:
        k = k + random.binomial(step, truth, going.size)
        n += step
        yes, no = assess_all(claim, k, n, alpha)
        verified[going[yes]], falsified[going[no]] = True, True
        requests[going[yes | no]] = n
        going, k = going[~(yes | no)], k[~(yes | no)]
    return Runs(verified, falsified, requests)


def assess_all(claim: Claim, k: Array, n: int, alpha: float) -> tuple[Array, Array]:
    """Claim.assess for many counts: which are verified and which falsified."""
    share = k / n
    broad = betaln(claim.prior.a + k, claim.prior.b + n - k) - betaln(claim.prior.a, claim.prior.b)
    ruled_out = [broad - _likelihood(k, n, edge) >= -np.log(alpha) for edge in (claim.low, claim.high)]
    falsified = ((share < claim.low) & ruled_out[0]) | ((share > claim.high) & ruled_out[1])
    verified = (claim.low <= share) & (share <= claim.high)
    if claim.prior.weight:
        verified &= _mean(claim.inside, k, n) - _mean(claim.edges, k, n) >= -np.log(alpha)
    else:
        verified &= (ruled_out[0] | (claim.low <= 0)) & (ruled_out[1] | (claim.high >= 1))
    if claim.certain:
        refuted = k > 0 if claim.centre == 0 else k < n
        verified, falsified = verified & ~refuted, falsified | refuted
    return verified, falsified


def _likelihood(k: Array, n: int, share: float) -> Array:
    return np.asarray(xlogy(k, share) + xlog1py(n - k, -share))


def _mean(points: Sequence[tuple[float, float]], k: Array, n: int) -> Array:
    return np.asarray(logsumexp([np.log(weight) + _likelihood(k, n, share) for share, weight in points], axis=0))
