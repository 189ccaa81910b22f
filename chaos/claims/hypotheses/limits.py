"""Compare a measure with its limit: verified if its whole interval is on the right side, falsified if none of it is.

If two measures are compared, each has half of alpha."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isinf
from types import MappingProxyType

from chaos.claims.finding import Finding, Tally
from chaos.claims.hypotheses.measure import Expression, Measure
from chaos.claims.hypotheses.observed_values import latencies_of, pending_of, share_of
from chaos.claims.observations import Observed
from chaos.verify.claim import above, below
from chaos.verify.interval import VAGUE, interval
from chaos.verify.quantile import Span, quantile_span
from chaos.verify.verdict import Verdict

Alike = Mapping[Measure, float]
"""How many requests of a measure count as one, because they depend on each other; 1 if it is not in."""

LATER = 2.0
"""So many requests count as one at most in a forecast, because few seconds leave open that it is many more."""


def judge_expression(
    finding: Finding, expression: Expression, observed: Observed, alike: Alike = MappingProxyType({})
) -> Finding:
    """Return the finding with estimate, interval and verdict for a share or a quantile."""
    if expression.right is not None:
        return _against_other(finding, expression, expression.right, observed, alike)
    if expression.left.unit == "share":
        seen, unknown = share_of(expression.left, observed), pending_of(expression.left, observed)
        return against_limit(finding, expression, seen, unknown, alike.get(expression.left, 1.0))
    return _quantile_against_limit(finding, expression, observed, alike.get(expression.left, 1.0))


def _quantile_against_limit(finding: Finding, expression: Expression, observed: Observed, together: float) -> Finding:
    sample, unknown = latencies_of(expression.left, observed), pending_of(expression.left, observed)
    if not sample.n + unknown:
        return finding
    level = expression.left.level
    estimate = finite(sample.quantile(level)) if sample.n else None
    span = quantile_span(sample, level, finding.alpha, together, unknown)
    finding = with_span(replace(finding, estimate=estimate, unknown=unknown), span, expression, expression.limit)
    kept, needed = Tally(sample.at_most(expression.limit), sample.n), None
    if finding.verdict is Verdict.INCONCLUSIVE and not unknown and not isinf(together):
        claim, later = above(level) if expression.sense == "below" else below(level), min(together, LATER)
        needed = claim.needed(kept.k / later, kept.n / later, finding.alpha)
        needed = None if needed is None else round(needed * later)
    return replace(finding, observed=kept, needed=needed)


def against_limit(
    finding: Finding, expression: Expression, tally: Tally, unknown: int = 0, alike: float = 1.0
) -> Finding:
    """Return the finding of a share compared with its limit. The verdict holds whatever `unknown` further requests
    were, and although up to `alike` of them may have one outcome together: as many count as one.

    A likelihood ratio to the power of 1/m stays a martingale for outcomes that come m together."""
    if not tally.n + unknown:
        return finding
    claim = below(expression.limit) if expression.sense == "below" else above(expression.limit)
    k, n, more = tally.k / alike, tally.n / alike, unknown / alike
    found = claim.interval(k, n, finding.alpha, more)
    needed = None if unknown else claim.needed(k, n, finding.alpha)
    return replace(
        finding,
        observed=tally,
        estimate=tally.share,
        interval=(found.low, found.high),
        unknown=unknown,
        verdict=claim.assess(k, n, finding.alpha, more),
        needed=None if needed is None else round(needed * alike),
    )


def _against_other(
    finding: Finding, expression: Expression, other: Measure, observed: Observed, alike: Alike
) -> Finding:
    """Return the finding of two measures as their ratio, whose limit is the factor. Each side has half of alpha."""
    half = finding.alpha / 2
    left, right = _span(expression.left, observed, half, alike), _span(other, observed, half, alike)
    if left is None or right is None:
        return finding
    (value, here), (base, there) = left, right
    unknown = pending_of(expression.left, observed) + pending_of(other, observed)
    finding = replace(finding, unit="ratio", estimate=finite(value / base) if base else None, unknown=unknown)
    return with_span(finding, here.over(there), expression, expression.factor)


def _span(measure: Measure, observed: Observed, alpha: float, alike: Alike) -> tuple[float, Span] | None:
    """Return a measure's estimate and its interval; None if no request has ended."""
    unknown, together = pending_of(measure, observed), alike.get(measure, 1.0)
    if measure.unit == "share":
        tally = share_of(measure, observed)
        if tally.share is None:
            return None
        return tally.share, _share_span(tally, alpha, unknown, together)
    sample = latencies_of(measure, observed)
    if not sample.n:
        return None
    return sample.quantile(measure.level), quantile_span(sample, measure.level, alpha, together, unknown)


def _share_span(tally: Tally, alpha: float, unknown: int, alike: float) -> Span:
    """Return the shares that are possible, whatever `unknown` further requests were."""
    k, n, more = tally.k / alike, tally.n / alike, unknown / alike
    return Span(interval(VAGUE, k, n + more, alpha).low, interval(VAGUE, k + more, n + more, alpha).high)


def with_span(finding: Finding, span: Span, expression: Expression, limit: float) -> Finding:
    inside = span.high <= limit if expression.sense == "below" else span.low >= limit
    outside = span.low > limit if expression.sense == "below" else span.high < limit
    verdict = Verdict.VERIFIED if inside else Verdict.FALSIFIED if outside else Verdict.INCONCLUSIVE
    return replace(finding, interval=(finite(span.low), finite(span.high)), verdict=verdict)


def finite(value: float) -> float | None:
    return None if isinf(value) else value
