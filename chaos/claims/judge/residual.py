"""Judges retries: of the requests that a rule forwards, how many still fail when its retries are used up.

When each try fails with probability q on its own, all attempts + 1 tries fail with q^(attempts + 1). What q is, the
gateway counts; how the tries of each request ended, the clients' digests say (`x-chaos-attempts`), or the gateway's
counts of tries where the load does not see the requests itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chaos.claims.expectations import Expectation
from chaos.claims.finding import Finding
from chaos.claims.judge import sentences
from chaos.claims.judge.drawn import Drawn
from chaos.claims.observations import Observed
from chaos.verify.claim import CERTAIN_TOLERANCE
from chaos.verify.retries import Tries, residual
from chaos.verify.verdict import Verdict

Ended = tuple[int, bool, int]
"""Tries, whether the last of them failed, and how many requests ended so."""


def judge_residual(finding: Finding, expectation: Expectation, observed: Observed, drawn: Drawn) -> Finding:
    """The finding with q^(attempts + 1) as what is configured, as far as it is known."""
    seen = observed.tally(expectation.classify)
    ended = _observed(expectation, observed) if expectation.tasks is not None else drawn.endings(expectation)
    tries = _tries(expectation, ended)
    if not tries.requests:
        empty = replace(finding, cause="traffic", ledgers=("configured", "drawn"))
        return replace(empty, sentence=sentences.residual(empty, tries, expectation))
    reach = max(min(expectation.tolerance, tries.expected / 2), CERTAIN_TOLERANCE)
    found = residual(tries, finding.alpha)
    verdict = found.assess(reach)
    finding = replace(
        finding,
        configured=tries.expected,
        tolerance=reach,
        observed=seen if seen.n else None,
        estimate=tries.failed / tries.requests,
        interval=(found.share.low, found.share.high),
        verdict=verdict,
        cause="upstream" if verdict is Verdict.FALSIFIED else "",
        ledgers=("configured", "drawn", "observed") if seen.n else ("configured", "drawn"),
    )
    return replace(finding, sentence=sentences.residual(finding, tries, expectation))


def _observed(expectation: Expectation, observed: Observed) -> list[Ended]:
    return [
        (outcome.attempts, failed, count)
        for outcome, count in observed
        if (failed := expectation.classify(outcome)) is not None
    ]


def _tries(expectation: Expectation, ended: Iterable[Ended]) -> Tries:
    """Every request's tries: all before its last failed; the last did or did not."""
    assert expectation.retries is not None
    most = expectation.retries.attempts + 1
    requests = early = early_failed = last = last_failed = given_up = 0
    for tries, failed, count in ended:
        requests += count
        if tries >= most:
            early, early_failed = early + (most - 1) * count, early_failed + (most - 1) * count
            last, last_failed = last + count, last_failed + count * failed
        else:
            early, early_failed = early + tries * count, early_failed + (tries - 1 + failed) * count
            given_up += count * failed
    return Tries(most, requests, early, early_failed, last, last_failed, given_up)
