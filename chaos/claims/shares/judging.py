"""Judge a claim about a proportion by both ledgers, and find the cause if it is wrong.

The verdict rests on the clients' counts if they saw the requests, else on the gateway's. Seven guards, each with a part
of the claim's alpha, look for faults that a right share can hide: draws that are wrong by the gateway's own count,
draws that depend on the one before on their connection or in the order of sending, a share that is right only on
average over time, over tasks or over users, and faults that are not drawn independently of each other. Which of them
explains best what was seen is the cause, not the first that found something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log

from chaos.claims.evidence import GUARD, MAIN, Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Ledger, Tally
from chaos.claims.observations import Observed, Outcome, PairKey, Running
from chaos.claims.shares import sentences
from chaos.claims.shares.causes import Explanation, best
from chaos.claims.shares.early import Early, early
from chaos.claims.shares.lost import with_lost
from chaos.claims.shares.order import Neighbours, Order, in_order, neighbours
from chaos.claims.shares.parts import Coupling, OddTask, UnlikeUsers, coupling, odd_task, unlike_users
from chaos.protocol.parts import Drawn, Turn
from chaos.verify.claim import Claim, within
from chaos.verify.drift import Drift, clearest_change, find_drift
from chaos.verify.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one claim and the results of its guards. `unknown` requests had no response; `left` of the observed
    ones are known from the gateway alone. An access log does not tell of `unlogged` ones."""

    claim: Claim
    observed: Tally
    drawn: Tally | None
    alpha: float
    unknown: int = 0
    left: int = 0
    unlogged: int = 0
    early: Early | None = None
    neighbours: Neighbours | None = None
    drift: Drift | None = None
    change: tuple[float, Drift | None] = (0.0, None)
    odd_task: OddTask | None = None
    users: UnlikeUsers | None = None
    order: Order | None = None
    coupling: Coupling | None = None

    @property
    def own(self) -> Tally:
        """The counts that the verdict rests on."""
        return self.observed if self.seen or self.drawn is None else self.drawn

    @property
    def wrong(self) -> sentences.Wrong:
        """The findings of the guards, for the sentence."""
        drift = self.change[1] or self.drift
        return sentences.Wrong(self.neighbours, drift, self.odd_task, self.users, self.order, self.coupling, self.early)

    @property
    def suspected(self) -> bool:
        """Whether a guard has found something that alone refutes the claim."""
        found = (self.odd_task, self.users, self.neighbours, self.order, self.coupling)
        return self.drift is not None or any(each is not None and each.sure for each in found)

    def explanations(self) -> Iterator[Explanation]:
        """Yield what would explain the counts, with its gain, which takes some milliseconds."""
        if self.drift is not None or self.change[1] is not None:
            yield Explanation("drift", self.change[0], self.drift is not None)
        if self.odd_task is not None:
            yield Explanation("per-task", self.odd_task.gain, self.odd_task.sure)
        if self.users is not None:
            yield Explanation("per-connection", self.users.gain, self.users.sure)
        if self.neighbours is not None:
            yield Explanation(_depending(self.neighbours), self.neighbours.gain, self.neighbours.sure)
        if self.order is not None:
            yield Explanation("by-turns", self.order.turns_gain, self.order.sure)
            yield Explanation("in-bursts", self.order.runs_gain, self.order.sure)
        if self.coupling is not None:
            yield Explanation("coupled", self.coupling.gain, self.coupling.sure)

    @property
    def seen(self) -> bool:
        """Whether the clients sent any of its requests."""
        return self.observed.n + self.unknown > 0

    def verdict(self) -> Verdict:
        """Return the verdict by the counts that it rests on, without the guards."""
        own = self.own
        return self.claim.assess(own.k, own.n, self.alpha * MAIN, self.unknown)

    @property
    def off(self) -> bool:
        """Whether the share of all requests is not as claimed."""
        share = self.own.share
        return share is not None and not self.claim.low <= share <= self.claim.high

    @property
    def feigned(self) -> bool:
        """Whether requests are missing because they are only tagged."""
        return self.early is not None and self.early.explains(self.own, self.claim)

    @property
    def off_dice(self) -> bool:
        """Whether the gateway's own counts refute the rule."""
        drawn = self.drawn
        if drawn is None or not drawn.n:
            return False
        return self.claim.assess(drawn.k, drawn.n, self.alpha * GUARD, self.unlogged) is Verdict.FALSIFIED


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
    lost = sum(evidence.running.lost) + expectation.unexplained(evidence)
    observed, unknown, left = with_lost(seen or answered, lost, expectation.left(evidence.ledger))
    tagged_only = early(expectation, evidence.observed)
    unlogged = evidence.ledger.unlogged(expectation.phase, expectation.rule)
    found = Counts(claim, observed, drawn, evidence.alpha, unknown, left, unlogged, tagged_only)
    if seen is not None or not found.observed.n or claim.certain:
        return found
    guard, running, where = evidence.alpha * GUARD, evidence.running, _place(expectation, evidence.observed)
    found = replace(
        found,
        drift=_drift(evidence, claim, guard),
        neighbours=_neighbours(expectation, evidence, guard),
        odd_task=odd_task(evidence.observed, expectation.classify, claim, guard, running.lost_tasks),
        users=_users(expectation, evidence, where, claim, guard),
    )
    if not lost:  # those that are missing may be the ones that would make the rest independent
        order, coupled = (
            in_order(evidence.observed, Drawn(*where, expectation.draw), claim, guard) if where else None,
            _coupling(expectation, evidence, claim, guard),
        )
        found = replace(found, order=order, coupling=coupled)
    return (
        replace(found, change=_change(evidence, claim))
        if found.suspected or found.verdict() is Verdict.FALSIFIED
        else found
    )


def _users(
    expectation: Expectation, evidence: Evidence, where: tuple[str, str] | None, claim: Claim, alpha: float
) -> UnlikeUsers | None:
    if where is None:
        return None
    observed, lost = evidence.observed, evidence.running.lost_tasks.total()
    gone = sum(count for outcome, count in observed if expectation.loses(outcome)) if lost else 0
    return unlike_users(observed.parts, where, expectation.draw, claim, alpha, lost - gone)


def _place(expectation: Expectation, observed: Observed) -> tuple[str, str] | None:
    """Return the phase and the route under which its requests are counted by part; None if others are counted there,
    too, or if nothing is drawn for them."""
    route = expectation.rule_name if expectation.tagged else ""
    if not expectation.draw:
        return None
    for outcome, _ in observed:
        there = outcome.status != 0 and (outcome.phase, outcome.route) == (expectation.phase, route)
        if there and not expectation.concerns(outcome):
            return None
    return expectation.phase, route


def _change(evidence: Evidence, claim: Claim) -> tuple[float, Drift | None]:
    """Return how well a change in the midst of the run explains the counts, and when it was not as claimed, in
    seconds."""
    gain, found = clearest_change(evidence.running.series, claim)
    return gain, None if found is None else _in_seconds(found, evidence.observed)


def _in_seconds(found: Drift, observed: Observed) -> Drift:
    since, until = (observed.moment(int(stretch)) for stretch in (found.since, found.until))
    return replace(found, since=since, until=until)


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
    return None if found is None else _in_seconds(found, observed)


def _lossy_drift(running: Running, claim: Claim, alpha: float) -> Drift | None:
    """Return a drift that is there whether all or none of the requests without a response satisfy the claim."""
    pairs = list(zip(running.series, running.lost, strict=True))  # `lost` is negative where late responses came
    none = find_drift([(k, max(k, n + lost)) for (k, n), lost in pairs], claim, alpha)
    every = find_drift([(max(0, k + lost), max(0, k + lost, n + lost)) for (k, n), lost in pairs], claim, alpha)
    if none is None or every is None or (none.share < claim.centre) != (every.share < claim.centre):
        return None
    return none if abs(none.share - claim.centre) < abs(every.share - claim.centre) else every


def _neighbours(expectation: Expectation, evidence: Evidence, alpha: float) -> Neighbours | None:
    if not expectation.draw:
        return None
    route = expectation.rule_name if expectation.tagged else ""

    def own(pair: PairKey) -> bool:
        return (
            (pair.phase, pair.kind, pair.route) == (expectation.phase, expectation.fault, route)
            and (expectation.tasks is None or pair.task in expectation.tasks)
        )  # fmt: skip

    turn = None if expectation.fault else Turn("connection", expectation.phase, route, expectation.draw)
    return neighbours(evidence.observed, own, turn, alpha)


def _depending(found: Neighbours) -> str:
    """Return the cause of requests that depend on the one before on their connection."""
    if found.dependence.gap < 0:
        return "by-turns"
    return "per-connection" if found.constant else "in-bursts"


def _decide(counts: Counts) -> tuple[Verdict, str]:
    """Return the verdict and its cause, which is empty if nothing is wrong."""
    verdict = counts.verdict()
    if verdict is Verdict.FALSIFIED and counts.feigned:
        return verdict, "tagged-only"
    if verdict is Verdict.FALSIFIED or counts.suspected:
        explanations = list(counts.explanations())
        sure = [each for each in explanations if each.sure]
        fitting = best(explanations, -log(counts.alpha * GUARD))
        return Verdict.FALSIFIED, fitting or (_cause(counts) if counts.off else best(sure, 0.0)) or "dice"
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
    twice = 1 - (1 - target) ** 2
    if 0 < target < 1 and abs(share - twice) < min(counts.claim.tolerance, abs(share - target)):
        return "drawn-twice"
    if not counts.observed.n or counts.drawn is None or not counts.drawn.n:
        return "dice"
    if counts.off_dice or abs((counts.drawn.share or 0.0) - share) < counts.claim.tolerance / 2:
        return "dice"
    return "hidden" if share < (counts.drawn.share or 0.0) else "count"


def _ledgers(counts: Counts) -> tuple[Ledger, ...]:
    found: list[Ledger] = ["configured"]
    if counts.drawn is not None:
        found.append("drawn")
    if counts.observed.n:
        found.append("observed")
    return tuple(found)
