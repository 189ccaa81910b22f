"""Judge a claim about a proportion: what each ledger says of it, and what is wrong when something is.

The verdict is the clients' where they saw the requests, else the gateway's. Three guards, each with a part of the
claim's alpha, look for what a right share can hide: dice that the gateway itself counts as off, draws per connection
instead of per request, and a share that is right only on average."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chaos.claims.evidence import GUARD, MAIN, Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Ledger, Tally
from chaos.claims.observations import PairKey
from chaos.claims.shares import sentences
from chaos.verify.claim import Claim, within
from chaos.verify.drift import Drift, find_drift
from chaos.verify.independence import Dependence, dependence
from chaos.verify.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Counts:
    """All that is known about one claim's share."""

    claim: Claim
    observed: Tally
    drawn: Tally | None
    alpha: float
    dependence: Dependence | None = None
    drift: Drift | None = None

    @property
    def own(self) -> Tally:
        """The ledger that the verdict rests on."""
        return self.observed if self.observed.n or self.drawn is None else self.drawn

    def verdict(self, tally: Tally | None, alpha: float | None = None) -> Verdict:
        """Return what a tally says of the claim."""
        if tally is None:
            return Verdict.NO_TRAFFIC
        return self.claim.assess(tally.k, tally.n, self.alpha * MAIN if alpha is None else alpha)

    @property
    def off_dice(self) -> bool:
        """Whether the gateway's own counts refute the rule."""
        return self.verdict(self.drawn, self.alpha * GUARD) is Verdict.FALSIFIED


def judge_share(expectation: Expectation, evidence: Evidence, seen: Tally | None = None) -> Finding:
    """Return the finding on a share. `seen`: the clients' k of n where outcomes alone do not tell; it has no guards."""
    assert expectation.share is not None
    finding = expectation.blank(evidence)
    claim = within(expectation.share, expectation.tolerance)
    counts = _counts(expectation, evidence, claim, finding.drawn) if seen is None else None
    counts = counts or Counts(claim, seen or Tally(0, 0), finding.drawn, evidence.alpha)
    own, alpha = counts.own, evidence.alpha * MAIN
    verdict, cause = _decide(counts)
    interval = claim.interval(own.k, own.n, alpha)
    finding = replace(
        finding,
        tolerance=claim.tolerance,
        observed=counts.observed if counts.observed.n else None,
        estimate=own.share,
        interval=(interval.low, interval.high) if own.n else None,
        verdict=verdict,
        cause=cause,
        ledgers=_ledgers(counts),
        needed=claim.needed(own.k, own.n, alpha) if verdict is Verdict.INCONCLUSIVE else None,
    )
    return replace(finding, sentence=sentences.share(finding, expectation.did(), counts.dependence, counts.drift))


def _counts(expectation: Expectation, evidence: Evidence, claim: Claim, drawn: Tally | None) -> Counts:
    found = Counts(claim, evidence.running.follow(evidence.observed), drawn, evidence.alpha)
    if not found.observed.n or claim.certain:
        return found
    guard = evidence.alpha * GUARD
    return replace(found, drift=_drift(evidence, claim, guard), dependence=_dependence(expectation, evidence, guard))


def _drift(evidence: Evidence, claim: Claim, alpha: float) -> Drift | None:
    """Return what refutes the claim since the last look, in seconds of the run."""
    running, observed = evidence.running, evidence.observed
    found = find_drift(running.series, claim, alpha, running.looked)
    if found is None:
        running.looked = len(running.series)
        return None
    since, until = (observed.moment(int(stretch)) for stretch in (found.since, found.until))
    return replace(found, since=since, until=until)


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
    """Return the verdict and, when something is wrong, what."""
    verdict = counts.verdict(counts.own)
    if counts.dependence is not None and counts.dependence.verdict is Verdict.FALSIFIED:
        return Verdict.FALSIFIED, "per-connection"
    if verdict is Verdict.FALSIFIED:
        return verdict, _cause(counts)
    if counts.drift is not None:
        return Verdict.FALSIFIED, "drift"
    if counts.off_dice:
        return Verdict.FALSIFIED, "count" if counts.observed.n else "dice"
    return verdict, "traffic" if verdict is Verdict.NO_TRAFFIC else ""


def _cause(counts: Counts) -> str:
    """Return which ledger is off when the clients' (or the only one) refutes the rule."""
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


def _steadier(drift: Drift, whole: Tally, target: float) -> bool:
    """Return whether the stretch is a different story from the whole: clearly further off than the rest of the run."""
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
