"""Thousands of runs at once, to see how often verdicts are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaln, xlog1py, xlogy

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
    prior, share = claim.prior, k / n
    evidence = betaln(prior.a + k, prior.b + n - k) - betaln(prior.a, prior.b) + np.log1p(-prior.weight)
    if prior.weight:
        at_centre = xlogy(k, prior.centre) + xlog1py(n - k, -prior.centre)
        evidence = np.logaddexp(evidence, np.log(prior.weight) + at_centre)
    ruled_out = [evidence - (xlogy(k, q) + xlog1py(n - k, -q)) >= -np.log(alpha) for q in (claim.low, claim.high)]
    low_out, high_out = ruled_out[0] | (claim.low <= 0), ruled_out[1] | (claim.high >= 1)
    verified = (claim.low <= share) & (share <= claim.high) & low_out & high_out
    falsified = ((share < claim.low) & ruled_out[0]) | ((share > claim.high) & ruled_out[1])
    if claim.certain:
        refuted = k > 0 if claim.centre == 0 else k < n
        verified, falsified = verified & ~refuted, falsified | refuted
    return verified, falsified
