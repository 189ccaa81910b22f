"""Judges retries: of the requests that a rule forwards, how many still fail when its retries are used up.

When each try fails with probability q on its own, all attempts + 1 tries fail with q^(attempts + 1). The gateway's
counters say what q is; neither number is known exactly, so the share that is still seen failing is compared with
every value that q may have: a fifth of alpha bounds q, the rest bounds what clients saw."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chaos.experiment import sentences
from chaos.experiment.drawn import Drawn
from chaos.experiment.expectations import Expectation
from chaos.experiment.finding import Finding, Tally
from chaos.experiment.observed import Observed
from chaos.verify.claim import CERTAIN_TOLERANCE
from chaos.verify.interval import VAGUE, Interval, Prior, interval
from chaos.verify.verdict import Verdict

TRY_ALPHA = 0.2

# What retries leave over is rare: expecting it so decides a quarter sooner, and what is not rare is soon seen anyway.
RARE = Prior(0.5, 50.0)


@dataclass(frozen=True, slots=True)
class Residual:
    """What the tries lead one to expect: the likeliest share and the range that it may have."""

    tries: Tally
    expected: float
    low: float
    high: float
    reach: float


def judge_residual(finding: Finding, expectation: Expectation, observed: Observed, drawn: Drawn) -> Finding:
    """The finding with q^(attempts + 1) as what is configured, as far as it is known."""
    seen = observed.tally(expectation.classify)
    finding = replace(finding, observed=seen if seen.n else None)
    if not seen.n:
        empty = replace(finding, cause="traffic", ledgers=("configured", "drawn"))
        return replace(empty, sentence=sentences.residual(empty, None, expectation))
    residual = expected_residual(drawn.tries(expectation), expectation, finding.alpha * TRY_ALPHA)
    allowed = interval(RARE, seen.k, seen.n, finding.alpha * (1 - TRY_ALPHA))
    verdict = _verdict(allowed, residual)
    finding = replace(
        finding,
        configured=residual.expected,
        tolerance=residual.reach,
        estimate=seen.share,
        interval=(allowed.low, allowed.high),
        verdict=verdict,
        cause="" if verdict is not Verdict.FALSIFIED else "upstream",
        ledgers=("configured", "drawn", "observed"),
    )
    return replace(finding, sentence=sentences.residual(finding, residual.tries, expectation))


def expected_residual(tries: Tally, expectation: Expectation, alpha: float) -> Residual:
    """q^(attempts + 1) for the likeliest q and for the ends of its interval, give or take the usual tolerance."""
    assert expectation.retries is not None
    times = expectation.retries.attempts + 1
    may_be = interval(VAGUE, tries.k, tries.n, alpha)
    expected = (tries.share or 0.0) ** times
    reach = max(min(expectation.tolerance, expected / 2), CERTAIN_TOLERANCE)
    return Residual(tries, expected, may_be.low**times, may_be.high**times, reach)


def _verdict(allowed: Interval, residual: Residual) -> Verdict:
    """Verified for whatever q is, falsified for whatever q is, or open."""
    if allowed.low >= residual.high - residual.reach and allowed.high <= residual.low + residual.reach:
        return Verdict.VERIFIED
    if allowed.high < residual.low - residual.reach or allowed.low > residual.high + residual.reach:
        return Verdict.FALSIFIED
    return Verdict.INCONCLUSIVE
