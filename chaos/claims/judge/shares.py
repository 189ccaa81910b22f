"""From the ledgers to findings: what each expectation's counts say so far.

The verdict is the clients' where they saw the requests, else the gateway's. Three guards, each with a twentieth of
the expectation's alpha, look for what a right share can hide: dice that the gateway itself counts as off, draws per
connection instead of per request, and a share that is right only on average. All tests hold at every moment, so a
verdict that has been reached stays: later counts cannot make a verified claim merely open again, only falsify it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chaos.claims.expectations import HARD, Expectation
from chaos.claims.finding import Finding, Ledger, Tally
from chaos.claims.hypotheses.judging import Hypotheses
from chaos.claims.judge import sentences
from chaos.claims.judge.added_delay import delayed_by_size, judge_added_delay
from chaos.claims.judge.drawn import Drawn
from chaos.claims.judge.residual import judge_residual
from chaos.claims.observations import Observations, Observed, Outcome, Running
from chaos.verify.claim import Claim, divide_alpha, within
from chaos.verify.drift import Drift, find_drift
from chaos.verify.independence import Dependence, dependence
from chaos.verify.verdict import Verdict

GUARD = 0.02
MAIN = 1 - 3 * GUARD
ROUTING = ("route", "redirect", "direct-response", "no-route")


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about one expectation's share."""

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
        if tally is None:
            return Verdict.NO_TRAFFIC
        return self.claim.assess(tally.k, tally.n, self.alpha * MAIN if alpha is None else alpha)

    @property
    def off_dice(self) -> bool:
        """Whether the gateway's own counts refute the rule."""
        return self.verdict(self.drawn, self.alpha * GUARD) is Verdict.FALSIFIED


class Judge:
    """Judges a run while it goes on. `observe` is handed each second's digest, `findings` tells where things stand.

    Expectations and hypotheses divide 1 - confidence, those that are hard to decide getting more of it."""

    def __init__(
        self, expectations: Sequence[Expectation], confidence: float = 0.99, hypotheses: Hypotheses | None = None
    ):
        self.expectations = tuple(expectations)
        self.hypotheses = hypotheses or Hypotheses(())
        self.confidence = confidence
        alphas = divide(confidence, self.expectations, len(self.hypotheses.all))
        self._alphas = dict(zip((each.id for each in self.expectations), alphas, strict=False))
        self._hypothesis_alpha = alphas[-1] if self.hypotheses.all else 0.0
        self.observed = Observed()
        self._running = {each.id: Running(each.classify) for each in self.expectations}
        self._looked: dict[str, int] = {}
        self._settled: dict[str, Finding] = {}

    def observe(self, digest: Observations, seconds: float = 1.0) -> None:
        """Add what the load saw in so many seconds."""
        self.observed.add(digest, seconds)
        self.hypotheses.observe(digest)

    def findings(self, counters: Mapping[str, Any] | None, *, starved: str = "") -> list[Finding]:
        """One finding per expectation, then one per hypothesis. `counters` are the gateway's, None when it has none.
        `starved` says why latencies cannot be trusted (a client short of CPU, load not delivered); latency findings
        are then inconclusive."""
        drawn = Drawn(counters)
        found = [self._judge(expectation, drawn, starved) for expectation in self.expectations]
        found += self.hypotheses.findings(self.observed, counters, self.confidence, self._hypothesis_alpha, starved)
        return [self._settle(finding) for finding in found]

    def _judge(self, expectation: Expectation, drawn: Drawn, starved: str) -> Finding:
        finding = self._blank(expectation, drawn)
        if expectation.kind == "added-delay":
            return judge_added_delay(finding, expectation, self.observed, drawn, starved)
        if expectation.kind == "residual":
            return judge_residual(finding, expectation, self.observed, drawn)
        assert expectation.share is not None
        return self._share(finding, expectation, drawn, within(expectation.share, expectation.tolerance))

    def _blank(self, expectation: Expectation, drawn: Drawn) -> Finding:
        return Finding(
            id=expectation.id,
            kind=expectation.kind,
            title=expectation.title,
            verdict=Verdict.NO_TRAFFIC,
            rule=expectation.rule,
            rule_name=expectation.rule_name,
            where=expectation.where,
            phase=expectation.phase,
            task=expectation.task,
            unit="seconds" if expectation.kind == "added-delay" else "share",
            configured=expectation.share,
            drawn=drawn.tally(expectation),
            confidence=self.confidence,
            alpha=self._alphas[expectation.id],
        )

    def _share(self, finding: Finding, expectation: Expectation, drawn: Drawn, claim: Claim) -> Finding:
        evidence = self._evidence(expectation, finding, claim)
        own = evidence.own
        verdict, cause = _decide(evidence)
        if expectation.kind in ROUTING and verdict is Verdict.FALSIFIED:
            cause = "routing"
        interval = claim.interval(own.k, own.n, finding.alpha * MAIN)
        open_ = verdict is Verdict.INCONCLUSIVE
        finding = replace(
            finding,
            tolerance=claim.tolerance,
            observed=evidence.observed if evidence.observed.n else None,
            estimate=own.share,
            interval=(interval.low, interval.high) if own.n else None,
            verdict=verdict,
            cause=cause,
            ledgers=_ledgers(evidence),
            needed=claim.needed(own.k, own.n, finding.alpha * MAIN) if open_ else None,
        )
        if cause == "routing":
            return replace(finding, sentence=sentences.routing(finding, expectation, self._instead(expectation)))
        return replace(finding, sentence=sentences.share(finding, expectation, evidence.dependence, evidence.drift))

    def _instead(self, expectation: Expectation) -> tuple[Outcome, int] | None:
        """What most of the requests met that did not meet what they should, and how many."""
        others = [(outcome, count) for outcome, count in self.observed if expectation.classify(outcome) is False]
        return max(others, key=lambda each: each[1], default=None)

    def _evidence(self, expectation: Expectation, finding: Finding, claim: Claim) -> Evidence:
        drawn, alpha = finding.drawn, finding.alpha
        if expectation.kind == "delay" and not expectation.tagged:
            return Evidence(claim, delayed_by_size(expectation, self.observed), drawn, alpha)
        running = self._running[expectation.id]
        found = Evidence(claim, running.follow(self.observed), drawn, alpha)
        if not found.observed.n or claim.certain:
            return found
        drift = self._drift(expectation.id, running.series, claim, alpha * GUARD)
        return replace(found, drift=drift, dependence=self._dependence(expectation, alpha * GUARD))

    def _drift(self, name: str, series: Sequence[tuple[int, int]], claim: Claim, alpha: float) -> Drift | None:
        """What refutes the claim since the last look, in seconds of the run."""
        found = find_drift(series, claim, alpha, self._looked.get(name, 0))
        if found is None:
            self._looked[name] = len(series)
            return None
        moments = [self.observed.moment(int(stretch)) for stretch in (found.since, found.until)]
        return replace(found, since=moments[0], until=moments[1])

    def _dependence(self, expectation: Expectation, alpha: float) -> Dependence | None:
        if expectation.kind not in ("abort", "delay"):
            return None
        pairs = self.observed.neighbours(
            lambda pair: (
                pair.phase == expectation.phase
                and pair.kind == expectation.kind
                and pair.route == (expectation.rule_name if expectation.tagged else "")
                and (expectation.tasks is None or pair.task in expectation.tasks)
            )
        )
        return dependence(pairs, alpha)

    def _settle(self, finding: Finding) -> Finding:
        """A verdict that has been reached stays; of its intervals, which all hold at once, what they share remains."""
        before = self._settled.get(finding.id)
        if finding.cause == "starved":
            return finding
        if before is not None and before.verdict is Verdict.VERIFIED and not finding.verdict.decided:
            interval = _common(before.interval, finding.interval)
            finding = replace(finding, verdict=before.verdict, interval=interval, needed=None, cause="")
            finding = replace(finding, sentence=sentences.settled(finding, before.sentence))
        elif before is not None and before.verdict is Verdict.FALSIFIED and finding.verdict is not Verdict.FALSIFIED:
            finding = before
        if finding.verdict.decided:
            self._settled[finding.id] = finding
        return finding


def divide(confidence: float, expectations: Sequence[Expectation], hypotheses: int = 0) -> list[float]:
    """Alpha of each expectation, then of each hypothesis.

    The shares of two destinations are one claim told twice: either is wrong exactly when the other is, so both have
    its alpha."""
    siblings = Counter(_family(each) for each in expectations)
    shared = [2 if siblings[_family(each)] == 2 and each.kind == "destination" else 1 for each in expectations]
    weights = [each.weight / times for each, times in zip(expectations, shared, strict=True)]
    alphas = divide_alpha(confidence, [*weights, *([HARD] * hypotheses)])
    return [alpha * times for alpha, times in zip(alphas, [*shared, *([1] * hypotheses)], strict=True)]


def _family(expectation: Expectation) -> tuple[str, str, str, tuple[str, ...] | None]:
    return expectation.kind, expectation.phase, expectation.rule, expectation.tasks


def _decide(evidence: Evidence) -> tuple[Verdict, str]:
    """The verdict and, when something is wrong, what."""
    verdict = evidence.verdict(evidence.own)
    if evidence.dependence is not None and evidence.dependence.verdict is Verdict.FALSIFIED:
        return Verdict.FALSIFIED, "per-connection"
    if verdict is Verdict.FALSIFIED:
        return verdict, _cause(evidence)
    if evidence.drift is not None:
        return Verdict.FALSIFIED, "drift"
    if evidence.off_dice:
        return Verdict.FALSIFIED, "count" if evidence.observed.n else "dice"
    return verdict, "traffic" if verdict is Verdict.NO_TRAFFIC else ""


def _cause(evidence: Evidence) -> str:
    """Which ledger is off when the clients' (or the only one) refutes the rule."""
    share, target = evidence.own.share or 0.0, evidence.claim.centre
    if evidence.drift is not None and _steadier(evidence.drift, evidence.own, target):
        return "drift"
    twice = 1 - (1 - target) ** 2
    if 0 < target < 1 and abs(share - twice) < min(evidence.claim.tolerance, abs(share - target)):
        return "drawn-twice"
    if not evidence.observed.n or evidence.drawn is None or not evidence.drawn.n:
        return "dice"
    if evidence.off_dice or abs((evidence.drawn.share or 0.0) - share) < evidence.claim.tolerance / 2:
        return "dice"
    return "hidden" if share < (evidence.drawn.share or 0.0) else "count"


def _steadier(drift: Drift, whole: Tally, target: float) -> bool:
    """Whether the stretch is a different story from the whole: clearly further off than the rest of the run is."""
    rest = Tally(whole.k - drift.k, whole.n - drift.n)
    if rest.n <= 0 or rest.share is None:
        return False
    return abs(drift.share - target) > 3 * abs(rest.share - target)


def _ledgers(evidence: Evidence) -> tuple[Ledger, ...]:
    found: list[Ledger] = ["configured"]
    if evidence.drawn is not None:
        found.append("drawn")
    if evidence.observed.n:
        found.append("observed")
    return tuple(found)


Bounds = tuple[float | None, float | None] | None


def _common(before: Bounds, now: Bounds) -> Bounds:
    """The intersection; the earlier one when they have nothing in common."""
    if before is None or now is None:
        return before or now
    lows = [low for low in (before[0], now[0]) if low is not None]
    highs = [high for high in (before[1], now[1]) if high is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    return before if low is not None and high is not None and low > high else (low, high)
