"""Judge a share by the access log of a gateway that says nothing in its responses.

Only the gateway's side is known, and no order of requests by connection, so there are no guards: a share that is right
is verified, however it came about."""

from __future__ import annotations

from dataclasses import replace

from chaos.claims.evidence import MAIN, Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.shares import sentences
from chaos.formatting import count as thousands
from chaos.verify.verdict import Verdict

NO_ATTEMPTS = (
    "the access log does not say how many attempts a request took; add a field "
    "upstream_request_attempt_count: %UPSTREAM_REQUEST_ATTEMPT_COUNT% to its format"
)


def trouble_of(evidence: Evidence) -> str:
    """Return why the access log tells nothing; empty if it does, or may yet."""
    log = evidence.ledger.log
    return log["trouble"] if log is not None else "there is no access log"


def nothing_yet(expectation: Expectation, evidence: Evidence) -> Finding:
    """Return the finding on a claim of whose requests the log has not told, or never will."""
    log = evidence.ledger.log
    over = log is not None and log["final"]
    return replace(
        expectation.blank(evidence),
        verdict=Verdict.NO_TRAFFIC if over else Verdict.INCONCLUSIVE,
        cause="traffic" if over else "",
        ledgers=("configured", "drawn"),
        sentence=f"The access log has no line {'' if over else 'yet '}of a request that takes this rule.",
    )


def judge_logged(expectation: Expectation, evidence: Evidence) -> Finding:
    """Return the finding on a share by what the log says of the rule's requests."""
    assert expectation.share is not None
    if trouble := trouble_of(evidence):
        return expectation.not_judged(evidence, trouble)
    own = expectation.drawn(evidence.ledger) or Tally(0, 0)
    if not own.n:
        return nothing_yet(expectation, evidence)
    unknown = evidence.ledger.unlogged(expectation.phase, expectation.rule)
    claim, alpha = expectation.claim(expectation.share), evidence.alpha * MAIN
    verdict = claim.assess(own.k, own.n, alpha, unknown)
    interval = claim.interval(own.k, own.n, alpha, unknown)
    lost = verdict is Verdict.INCONCLUSIVE and unknown / (own.n + unknown) >= claim.high - claim.low
    cause = "dice" if verdict is Verdict.FALSIFIED else "lost" if lost else ""
    finding = replace(
        expectation.blank(evidence),
        tolerance=claim.tolerance,
        unknown=unknown,
        estimate=own.share,
        interval=(interval.low, interval.high),
        verdict=verdict,
        cause=cause,
        ledgers=("configured", "drawn"),
        needed=claim.needed(own.k, own.n, alpha) if verdict is Verdict.INCONCLUSIVE and not lost else None,
    )
    return replace(finding, sentence=_sentence(finding, own, expectation.did()))


def _sentence(finding: Finding, own: Tally, did: str) -> str:
    said = f"By its access log {sentences.requests(own, finding)} {did}"
    if finding.unknown:
        said += f"; of {thousands(finding.unknown)} more it has no line"
    if finding.verdict is Verdict.FALSIFIED:
        return f"{said}, not {sentences.target_of(finding)}."
    if finding.verdict is Verdict.INCONCLUSIVE:
        return f"{said}; {sentences.possible(finding)}"
    return f"{said}; {sentences.target_of(finding)} is configured."
