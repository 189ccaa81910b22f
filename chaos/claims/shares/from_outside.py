"""Judge which share of the requests was delayed by their latencies alone, for a gateway that says nothing.

Two ways are taken side by side, each with half of the claim's alpha. Where the delayed and the others are clearly
apart they are counted one by one. Where they overlap nobody can say which is which; then the shares that both together
allow are found (`chaos.verify.mixture`). They are also a check on the counting: what the whole distribution rules out
is not verified, and what it allows is not falsified."""

from __future__ import annotations

from dataclasses import replace

from chaos.claims.evidence import Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.shares import sentences
from chaos.claims.shares.by_latency import Parts, near, possible_shares, split_by_latency
from chaos.claims.shares.judging import judge_share
from chaos.formatting import count, plural
from chaos.formatting import share as percent
from chaos.units import format_duration
from chaos.verify.claim import Claim
from chaos.verify.interval import Interval
from chaos.verify.mixture import Delayed
from chaos.verify.quantile import Sample
from chaos.verify.verdict import Verdict


def judge_delayed(expectation: Expectation, evidence: Evidence, seconds: float) -> Finding:
    """Return the finding on the share that is delayed by so many seconds."""
    latencies = evidence.observed.sample(expectation.concerns)
    if not latencies.n:
        return judge_share(expectation, evidence, Tally(0, 0))
    found = _always if expectation.share == 1 else _some
    finding = found(expectation, evidence, latencies, seconds)
    if evidence.starved and finding.verdict.decided:
        sentence = f"{finding.sentence.removesuffix('.')}; {evidence.starved}, so latencies prove nothing."
        return replace(finding, verdict=Verdict.INCONCLUSIVE, cause="starved", sentence=sentence)
    return finding


def _always(expectation: Expectation, evidence: Evidence, latencies: Sample, seconds: float) -> Finding:
    """Count the responses that came before the delay was over; one of them refutes that all are delayed."""
    least = seconds - near(seconds)
    early = latencies.at_most(least)
    finding = judge_share(expectation, evidence, Tally(latencies.n - early, latencies.n))
    target = format_duration(seconds)
    if finding.verdict is Verdict.FALSIFIED:
        said = f"{plural(early, 'response')} of {count(latencies.n)} came before {format_duration(least)}"
        return replace(finding, cause="dice", sentence=f"{said}, where every one should take {target} or more.")
    if finding.verdict is Verdict.VERIFIED:
        said = f"All of {plural(latencies.n, 'response')} took {format_duration(least)} or more; {target} is configured"
        own = "How much of it is the upstream's own cannot be seen from outside."
        return replace(finding, sentence=f"{said}. {own}")
    return finding


def _some(expectation: Expectation, evidence: Evidence, latencies: Sample, seconds: float) -> Finding:
    assert expectation.share is not None
    half = replace(evidence, alpha=evidence.alpha / 2)
    claim = expectation.claim(expectation.share)
    parts, shares = split_by_latency(latencies, seconds), possible_shares(half, latencies, seconds)
    whole = assess_shares(shares, claim)
    if not parts.apart:
        return _overlapping(expectation, evidence, latencies.n, seconds, shares, whole)
    counted = replace(_counted(expectation, half, parts), alpha=evidence.alpha)
    if counted.verdict is Verdict.VERIFIED and whole is not Verdict.FALSIFIED:
        return counted
    if parts.clear and counted.verdict is whole:
        return counted
    if whole is Verdict.FALSIFIED is not counted.verdict and parts.least < parts.late.n / 2:
        return _late_otherwise(counted, parts, seconds)
    if whole.decided or not parts.clear:
        return _overlapping(expectation, evidence, latencies.n, seconds, shares, whole)
    return _open(expectation, counted)


def assess_shares(shares: Delayed, claim: Claim) -> Verdict:
    """Return what the shares that are possible say of a claim."""

    def touches(found: tuple[Interval, ...]) -> bool:
        return any(each.low <= claim.high and claim.low <= each.high for each in found)

    if not touches(shares.possible) or (shares.single and not touches(shares.single)):
        return Verdict.FALSIFIED
    if shares.single and all(claim.low <= each.low and each.high <= claim.high for each in shares.single):
        return Verdict.VERIFIED
    return Verdict.INCONCLUSIVE


def _counted(expectation: Expectation, evidence: Evidence, parts: Parts) -> Finding:
    """Return the finding on the late ones; decided only if it is the same whatever those astray were."""
    found = judge_share(expectation, evidence, Tally(parts.late.n, parts.n))
    if not parts.astray or not found.verdict.decided:
        return found
    most = min(parts.n, parts.least + parts.astray)
    ends = [judge_share(expectation, evidence, Tally(k, parts.n)) for k in (parts.least, most)]
    sides = {_side(each) for each in (*ends, found)}
    same = all(each.verdict is found.verdict for each in ends)
    return found if same and (found.verdict is Verdict.VERIFIED or len(sides) == 1) else _open(expectation, found)


def _side(finding: Finding) -> bool:
    return (finding.estimate or 0.0) > (finding.configured or 0.0)


def _late_otherwise(counted: Finding, parts: Parts, seconds: float) -> Finding:
    """Return the finding on requests of which many are late, but not by this delay: its own claim says by how much."""
    late = sentences.requests(Tally(parts.late.n, parts.n), counted)
    sentence = f"{late} were late, but not by {format_duration(seconds)}: how many were delayed cannot be told."
    return replace(counted, verdict=Verdict.INCONCLUSIVE, cause="delay", needed=None, sentence=sentence)


def _open(expectation: Expectation, finding: Finding) -> Finding:
    """Return a finding that is not decided after all."""
    left = replace(finding, verdict=Verdict.INCONCLUSIVE, cause="", needed=None)
    return replace(left, sentence=sentences.share(left, expectation.did(), sentences.Wrong()))


def _overlapping(
    expectation: Expectation, evidence: Evidence, n: int, seconds: float, shares: Delayed, verdict: Verdict
) -> Finding:
    """Return the finding on requests that are not told apart one by one."""
    left = shares.single or shares.possible
    decided = verdict.decided and len(left) == 1
    finding = replace(
        expectation.blank(evidence),
        tolerance=expectation.tolerance,
        unknown=sum(evidence.running.lost),
        estimate=(left[0].low + left[0].high) / 2 if decided else None,
        interval=(left[0].low, left[-1].high),
        verdict=verdict,
        cause="dice" if verdict is Verdict.FALSIFIED else "",
        ledgers=("configured", "observed"),
    )
    return replace(finding, sentence=_sentence(finding, n, seconds, left))


def _sentence(finding: Finding, n: int, seconds: float, left: tuple[Interval, ...]) -> str:
    target, longer = sentences.target_of(finding), format_duration(seconds)
    could = " or ".join(f"{percent(each.low, 0.001)} to {percent(each.high, 0.001)}" for each in left)
    said = f"{could} of {plural(n, 'response')} may be {longer} later than the others"
    if finding.verdict is Verdict.INCONCLUSIVE:
        return (
            f"{said}: the delayed and the undelayed cannot be told apart by their latencies, or not by so few of them."
        )
    if finding.verdict is Verdict.FALSIFIED:
        return f"{said}, not {target}. {_itself(seconds)}"
    return f"{said}; {target} is configured. {_itself(seconds)}"


def _itself(seconds: float) -> str:
    return f"That the upstream itself is {format_duration(seconds)} later for some cannot be seen from outside."
