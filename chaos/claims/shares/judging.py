"""Judge a claim about a proportion by both ledgers, and find the cause if it is wrong.

The verdict rests on the clients' counts if they saw the requests, else on the gateway's. Five guards, each with a part
of the claim's alpha, look for faults that a right share can hide: draws that are wrong by the gateway's own count,
draws per connection instead of per request, a share that is right only on average over time or over tasks, and faults
that are not drawn independently of each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chaos.claims.evidence import GUARD, MAIN, Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Ledger, Tally
from chaos.claims.observations import Outcome, PairKey, Running
from chaos.claims.shares import sentences
from chaos.claims.shares.lost import with_lost
from chaos.claims.shares.parts import Coupling, OddTask, coupling, odd_task
from chaos.verify.claim import Claim, within
from chaos.verify.drift import Drift, find_drift
from chaos.verify.independence import Dependence, dependence
from chaos.verify.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one claim and the results of its guards. `unknown` requests had no response; `left` of the observed
    ones are known from the gateway alone."""

    claim: Claim
    observed: Tally
    drawn: Tally | None
    alpha: float
    unknown: int = 0
    left: int = 0
    dependence: Dependence | None = None
    drift: Drift | None = None
    odd_task: OddTask | None = None
    coupling: Coupling | None = None

    @property
    def own(self) -> Tally:
        """The counts that the verdict rests on."""
        return self.observed if self.seen or self.drawn is None else self.drawn

    @property
    def wrong(self) -> sentences.Wrong:
        """The findings of the guards, for the sentence."""
        return sentences.Wrong(self.dependence, self.drift, self.odd_task, self.coupling)

    @property
    def seen(self) -> bool:
        """Whether the clients sent any of its requests."""
        return self.observed.n + self.unknown > 0

    def verdict(self) -> Verdict:
        """Return the verdict by the counts that it rests on, without the guards."""
        own = self.own
        return self.claim.assess(own.k, own.n, self.alpha * MAIN, self.unknown)

    @property
    def off_dice(self) -> bool:
        """Whether the gateway's own counts refute the rule."""
        drawn = self.drawn
        if drawn is None or not drawn.n:
            return False
        return self.claim.assess(drawn.k, drawn.n, self.alpha * GUARD) is Verdict.FALSIFIED


def judge_share(expectation: Expectation, evidence: Evidence, seen: Tally | None = None) -> Finding:
    """Return the finding on a share. `seen` is the clients' k of n if outcomes alone do not reveal it; then there are
    no guards."""
    assert expectation.share is not None
    finding = expectation.blank(evidence)
    claim = expectation.claim(expectation.share)
    counts = _counts(expectation, evidence, claim, finding.drawn, seen)
    own, unknown, alpha = counts.own, counts.unknown, evidence.alpha * MAIN
    verdict, cause = _decide(counts)
    interval = claim.interval(own.k, own.n, alpha, unknown)
    finding = replace(
        finding,
        tolerance=claim.tolerance,
        observed=counts.observed if counts.observed.n else None,
        unknown=unknown,
        left=counts.left,
        estimate=own.share,
        interval=(interval.low, interval.high) if own.n + unknown else None,
        verdict=verdict,
        cause=cause,
        ledgers=_ledgers(counts),
        needed=claim.needed(own.k, own.n, alpha) if verdict is Verdict.INCONCLUSIVE and cause != "lost" else None,
    )
    return replace(finding, sentence=sentences.share(finding, expectation.did(), counts.wrong))


def _counts(
    expectation: Expectation, evidence: Evidence, claim: Claim, drawn: Tally | None, seen: Tally | None
) -> Counts:
    answered = evidence.running.follow(evidence.observed)
    lost = sum(evidence.running.lost)
    observed, unknown, left = with_lost(seen or answered, lost, expectation.left(evidence.ledger))
    found = Counts(claim, observed, drawn, evidence.alpha, unknown, left)
    if seen is not None or not found.observed.n or claim.certain:
        return found
    guard = evidence.alpha * GUARD
    found = replace(found, drift=_drift(evidence, claim, guard), dependence=_dependence(expectation, evidence, guard))
    if lost:
        return found  # those that are missing may be the ones that would make the parts alike
    return replace(
        found,
        odd_task=odd_task(evidence.observed, expectation.classify, claim, guard),
        coupling=_coupling(expectation, evidence, claim, guard),
    )


def _coupling(expectation: Expectation, evidence: Evidence, claim: Claim, alpha: float) -> Coupling | None:
    other = expectation.other_fault
    if other is None or not expectation.tagged:
        return None
    name, share = other

    def own(outcome: Outcome) -> bool:
        return expectation.classify(outcome) is not None

    claims = claim, within(share, expectation.tolerance)
    return coupling(evidence.observed, own, (expectation.fault, name), claims, alpha)


def _drift(evidence: Evidence, claim: Claim, alpha: float) -> Drift | None:
    """Return a drift that refutes the claim, in seconds of the run; None without one. Stretches known to hold no drift
    are skipped."""
    running, observed = evidence.running, evidence.observed
    if any(running.lost):
        found = _lossy_drift(running, claim, alpha)
    else:
        found = find_drift(running.series, claim, alpha, running.looked)
        if found is None:
            running.looked = len(running.series)
    if found is None:
        return None
    since, until = (observed.moment(int(stretch)) for stretch in (found.since, found.until))
    return replace(found, since=since, until=until)


def _lossy_drift(running: Running, claim: Claim, alpha: float) -> Drift | None:
    """Return a drift that is there whether all or none of the requests without a response satisfy the claim."""
    pairs = list(zip(running.series, running.lost, strict=True))  # `lost` is negative where late responses came
    none = find_drift([(k, max(k, n + lost)) for (k, n), lost in pairs], claim, alpha)
    every = find_drift([(max(0, k + lost), max(0, k + lost, n + lost)) for (k, n), lost in pairs], claim, alpha)
    if none is None or every is None or (none.share < claim.centre) != (every.share < claim.centre):
        return None
    return none if abs(none.share - claim.centre) < abs(every.share - claim.centre) else every


def _dependence(expectation: Expectation, evidence: Evidence, alpha: float) -> Dependence | None:
    if not expectation.fault:
        return None
    route = expectation.rule_name if expectation.tagged else ""

    def own(pair: PairKey) -> bool:
        return (
            (pair.phase, pair.kind, pair.route) == (expectation.phase, expectation.fault, route)
            and (expectation.tasks is None or pair.task in expectation.tasks)
        )  # fmt: skip

    return dependence(evidence.observed.neighbours(own), alpha)


def _decide(counts: Counts) -> tuple[Verdict, str]:
    """Return the verdict and its cause, which is empty if nothing is wrong."""
    verdict = counts.verdict()
    if counts.odd_task is not None and (verdict is not Verdict.FALSIFIED or _explains(counts.odd_task, counts.claim)):
        return (
            Verdict.FALSIFIED,
            "per-task",
        )  # first, because tasks that differ look like draws that depend on each other
    if counts.dependence is not None and counts.dependence.verdict is Verdict.FALSIFIED:
        return Verdict.FALSIFIED, "per-connection"
    if verdict is Verdict.FALSIFIED:
        return verdict, _cause(counts)
    if counts.drift is not None:
        return Verdict.FALSIFIED, "drift"
    if counts.coupling is not None:
        return Verdict.FALSIFIED, "coupled"
    if counts.off_dice:
        return Verdict.FALSIFIED, "count" if counts.seen else "dice"
    if verdict is Verdict.NO_TRAFFIC:
        return verdict, "traffic"
    return verdict, "lost" if verdict is Verdict.INCONCLUSIVE and _lost_too_many(counts) else ""


def _lost_too_many(counts: Counts) -> bool:
    """Return whether no number of further requests decides while the same part of them is lost, because that part is
    wider than the claim."""
    total = counts.observed.n + counts.unknown
    return total > 0 and counts.unknown / total >= counts.claim.high - counts.claim.low


def _cause(counts: Counts) -> str:
    """Return the cause if the counts that the verdict rests on refute the rule."""
    share, target = counts.own.share or 0.0, counts.claim.centre
    if counts.drift is not None and _steadier(counts.drift, counts.own, target):
        return "drift"
    twice = 1 - (1 - target) ** 2
    if 0 < target < 1 and abs(share - twice) < min(counts.claim.tolerance, abs(share - target)):
        return "drawn-twice"
    if not counts.observed.n or counts.drawn is None or not counts.drawn.n:
        return "dice"
    if counts.off_dice or abs((counts.drawn.share or 0.0) - share) < counts.claim.tolerance / 2:
        return "dice"
    return "hidden" if share < (counts.drawn.share or 0.0) else "count"


def _explains(odd: OddTask, claim: Claim) -> bool:
    """Return whether the other tasks are as claimed, so that the one alone is what is wrong."""
    share = odd.others.share
    return share is not None and claim.low <= share <= claim.high


def _steadier(drift: Drift, whole: Tally, target: float) -> bool:
    """Return whether the drift is clearly further from the target than the rest of the run."""
    rest = Tally(whole.k - drift.k, whole.n - drift.n)
    if rest.n <= 0 or rest.share is None:
        return False
    return abs(drift.share - target) > 3 * abs(rest.share - target)


def _ledgers(counts: Counts) -> tuple[Ledger, ...]:
    found: list[Ledger] = ["configured"]
    if counts.drawn is not None:
        found.append("drawn")
    if counts.observed.n:
        found.append("observed")
    return tuple(found)
