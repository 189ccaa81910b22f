"""Judges hypotheses: shares, quantiles and ratios against their limits, each with an interval.

Verified: the whole interval keeps the limit. Falsified: none of it does. Each hypothesis has its part of the run's
alpha; a comparison of two measures gives each half of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isinf
from typing import Any

from chaos.claims.finding import Finding, Tally
from chaos.claims.hypotheses import sentences as words
from chaos.claims.hypotheses.expression import Expression, Measure
from chaos.claims.hypotheses.masking import Masking
from chaos.claims.hypotheses.measures import concerns, latencies_of, share_of
from chaos.claims.observations import Observations, Observed
from chaos.verify.claim import above, below
from chaos.verify.interval import VAGUE, interval
from chaos.verify.quantile import Span, quantile_span
from chaos.verify.ratio import ratio
from chaos.verify.verdict import Verdict

Hosts = Mapping[str, Sequence[str]]
"""Host as people write it -> the keys of the rules that its requests may take."""


@dataclass(slots=True)
class Hypothesis:
    """One expression and what was collected for it alone."""

    expression: Expression
    id: str
    window: Observed | None = None
    elapsed: int = 0
    totals: list[tuple[float, float, float]] = field(default_factory=list)

    def observe(self, digest: Observations) -> None:
        """With `within`: collect what comes after so many seconds of the phase."""
        expression = self.expression
        if expression.within is None:
            return
        if self.window is None:
            self.window = Observed()
        if any(outcome.phase == expression.phase for outcome, _ in digest.items()):
            if self.elapsed >= expression.within:
                self.window.add(digest)
            self.elapsed += 1


class Hypotheses:
    """All of an experiment's. `observe` and `findings` are called as a Judge's are."""

    def __init__(self, expressions: Sequence[Expression], hosts: Hosts | None = None):
        self.all = tuple(
            Hypothesis(expression, f"expect#{number}#{expression.text}")
            for number, expression in enumerate(expressions)
        )
        self.hosts = hosts or {}
        self.masking = Masking()
        self._earlier: Mapping[str, Any] = {}

    def observe(self, digest: Observations) -> None:
        for hypothesis in self.all:
            hypothesis.observe(digest)

    def findings(
        self, observed: Observed, counters: Mapping[str, Any] | None, confidence: float, alpha: float, starved: str = ""
    ) -> list[Finding]:
        """One finding per hypothesis."""
        found = [self._judge(each, observed, counters or {}, confidence, alpha, starved) for each in self.all]
        self._earlier = counters or {}
        return found

    def _judge(
        self,
        hypothesis: Hypothesis,
        observed: Observed,
        counters: Mapping[str, Any],
        confidence: float,
        alpha: float,
        starved: str,
    ) -> Finding:
        finding = _blank(hypothesis, confidence, alpha)
        measure = hypothesis.expression.left
        if measure.metric == "masked":
            return self._masked(finding, hypothesis.expression, observed)
        if measure.metric == "amplification":
            return self._amplified(finding, hypothesis, observed, counters)
        observed = hypothesis.window if hypothesis.window is not None else observed
        finding = judge_expression(finding, hypothesis.expression, observed)
        if starved and measure.unit == "seconds" and finding.verdict.decided:
            finding = replace(finding, verdict=Verdict.INCONCLUSIVE, cause="starved")
        return replace(finding, sentence=words.hypothesis(finding, hypothesis.expression, starved))

    def _masked(self, finding: Finding, expression: Expression, observed: Observed) -> Finding:
        """By id where the application passes ids on, else from totals, which can only prove that much was masked.

        The gateway knows of a fault before its user's outcome is known, so its counts of a look earlier are used."""
        rules, phase = self.hosts.get(expression.left.argument, ()), expression.phase
        tally = self.masking.tally(phase, rules)
        if tally.n:
            judged = _against_limit(replace(finding, ledgers=("drawn", "observed")), expression, tally)
            return replace(judged, sentence=words.masked(judged, followed=True))
        aborted = sum(int(counts["abort"]) for counts in _rules(self._earlier, phase, rules))
        failures = share_of(Measure("failures", phase, expression.left.task), observed).k
        judged = _against_limit(finding, expression, Tally(max(0, aborted - failures), aborted))
        if judged.verdict is Verdict.FALSIFIED:  # the failures may have other causes than the faults
            judged = replace(judged, verdict=Verdict.INCONCLUSIVE, needed=None)
        return replace(judged, sentence=words.masked(judged, followed=False))

    def _amplified(
        self, finding: Finding, hypothesis: Hypothesis, observed: Observed, counters: Mapping[str, Any]
    ) -> Finding:
        """Calls to a host, the proxy's retries included, per request of a user."""
        expression = hypothesis.expression
        measure = expression.left
        counted = _rules(counters, measure.phase, self.hosts.get(measure.argument, ()))
        calls = sum(c["requests"] - c["forwarded"] + c["upstream_requests"] for c in counted)
        users = share_of(Measure("failures", measure.phase, measure.task), observed).n
        hypothesis.totals.append((calls, users, sum(c["requests"] for c in counted)))
        # Where users call the gateway themselves, its own count of them is of the same moment as its count of calls.
        column = 2 if _through_the_gateway(measure, observed) else 1
        users = int(hypothesis.totals[-1][column])
        found = ratio(_steps([(each[0], each[column]) for each in hypothesis.totals]), finding.alpha)
        finding = replace(finding, ledgers=("drawn", "observed"), observed=Tally(int(calls), users))
        if found is None:
            return replace(finding, sentence=words.nothing(finding))
        finding = replace(finding, estimate=found.estimate)
        finding = _with_span(finding, Span(found.low, found.high), expression, expression.limit)
        return replace(finding, sentence=words.amplified(finding))


def judge_expression(finding: Finding, expression: Expression, observed: Observed) -> Finding:
    """Estimate, interval and verdict for a share or a quantile."""
    if expression.right is not None:
        return _against_other(finding, expression, expression.right, observed)
    if expression.left.unit == "share":
        return _against_limit(finding, expression, share_of(expression.left, observed))
    sample = latencies_of(expression.left, observed)
    if not sample.n:
        return finding
    level = expression.left.level
    span = quantile_span(sample, level, finding.alpha)
    finding = _with_span(replace(finding, estimate=_finite(sample.quantile(level))), span, expression, expression.limit)
    kept = Tally(sample.at_most(expression.limit), sample.n)
    claim = above(level) if expression.sense == "below" else below(level)
    needed = claim.needed(kept.k, kept.n, finding.alpha) if finding.verdict is Verdict.INCONCLUSIVE else None
    return replace(finding, observed=kept, needed=needed)


def _against_limit(finding: Finding, expression: Expression, tally: Tally) -> Finding:
    if not tally.n:
        return finding
    claim = below(expression.limit) if expression.sense == "below" else above(expression.limit)
    found = claim.interval(tally.k, tally.n, finding.alpha)
    return replace(
        finding,
        observed=tally,
        estimate=tally.share,
        interval=(found.low, found.high),
        verdict=claim.assess(tally.k, tally.n, finding.alpha),
        needed=claim.needed(tally.k, tally.n, finding.alpha),
    )


def _against_other(finding: Finding, expression: Expression, other: Measure, observed: Observed) -> Finding:
    """Both sides have half of alpha; what is shown is their ratio, whose limit is the factor."""
    half = finding.alpha / 2
    left, right = _span(expression.left, observed, half), _span(other, observed, half)
    if left is None or right is None:
        return finding
    (value, here), (base, there) = left, right
    finding = replace(finding, unit="ratio", estimate=_finite(value / base) if base else None)
    return _with_span(finding, here.over(there), expression, expression.factor)


def _span(measure: Measure, observed: Observed, alpha: float) -> tuple[float, Span] | None:
    """A measure's value and what it may be; None when nothing was seen."""
    if measure.unit == "share":
        tally = share_of(measure, observed)
        if tally.share is None:
            return None
        found = interval(VAGUE, tally.k, tally.n, alpha)
        return tally.share, Span(found.low, found.high)
    sample = latencies_of(measure, observed)
    return (sample.quantile(measure.level), quantile_span(sample, measure.level, alpha)) if sample.n else None


def _with_span(finding: Finding, span: Span, expression: Expression, limit: float) -> Finding:
    inside = span.high <= limit if expression.sense == "below" else span.low >= limit
    outside = span.low > limit if expression.sense == "below" else span.high < limit
    verdict = Verdict.VERIFIED if inside else Verdict.FALSIFIED if outside else Verdict.INCONCLUSIVE
    return replace(finding, interval=(_finite(span.low), _finite(span.high)), verdict=verdict)


def _blank(hypothesis: Hypothesis, confidence: float, alpha: float) -> Finding:
    expression = hypothesis.expression
    kinds = {"masked": "masking", "amplification": "amplification"}
    return Finding(
        id=hypothesis.id,
        kind=kinds.get(expression.left.metric, "hypothesis"),
        title=expression.text,
        verdict=Verdict.NO_TRAFFIC,
        phase=expression.phase or "",
        task=expression.left.task or "",
        unit="ratio" if expression.right is not None else expression.left.unit,
        sense=expression.sense,
        configured=expression.factor if expression.right is not None else expression.limit,
        confidence=confidence,
        alpha=alpha,
        ledgers=("observed",),
        sentence="Nothing was seen that it speaks about.",
    )


def _through_the_gateway(measure: Measure, observed: Observed) -> bool:
    """Whether users' requests are the very ones that the gateway counts."""
    routes = [outcome.route for outcome, _ in observed if concerns(measure, outcome) and outcome.status]
    return bool(routes) and all(routes)


def _rules(counters: Mapping[str, Any], phase: str | None, rules: Sequence[str]) -> list[Mapping[str, Any]]:
    """The counters of these rules, in one phase or in all."""
    phases = counters.get("phases", {})
    return [
        counts
        for name, found in phases.items()
        if phase is None or name == phase
        for key, counts in found.items()
        if key in rules
    ]


def _steps(totals: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """What each look added to the totals."""
    before = [(0.0, 0.0), *totals[:-1]]
    return [(now[0] - then[0], now[1] - then[1]) for then, now in zip(before, totals, strict=True)]


def _finite(value: float) -> float | None:
    return None if isinf(value) else value
