"""By how much one group of requests is later than another of the same run: the shift of the median, and of every
quantile.

A slow machine makes both groups late; the difference between them is what was added (Doksum 1974, "Empirical
probability plots and statistical inference for nonlinear models in the two-sample case")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chaos.verify.quantile import Sample, Span, band, quantile_span
from chaos.verify.verdict import Verdict

MEDIAN = 0.5


@dataclass(frozen=True, slots=True)
class Shift:
    """The estimated shift in seconds, and the span that holds the true one."""

    estimate: float
    span: Span


def median_shift(late: Sample, reference: Sample, alpha: float) -> Shift | None:
    """The difference of the medians, each known to within alpha / 2. None while either group is empty."""
    if not late.n or not reference.n:
        return None
    estimate = late.quantile(MEDIAN) - reference.quantile(MEDIAN)
    return Shift(estimate, quantile_span(late, MEDIAN, alpha / 2).minus(quantile_span(reference, MEDIAN, alpha / 2)))


def shift_band(late: Sample, reference: Sample, alpha: float, levels: Sequence[float]) -> list[tuple[float, Span]]:
    """The shift at each level; the spans hold all true shifts at once."""
    return [(level, band(late, level, alpha / 2).minus(band(reference, level, alpha / 2))) for level in levels]


def assess_span(span: Span, low: float, high: float) -> Verdict:
    """Whether a quantity known to lie in `span` lies in [low, high]."""
    if low <= span.low and span.high <= high:
        return Verdict.VERIFIED
    if span.high < low or span.low > high:
        return Verdict.FALSIFIED
    return Verdict.INCONCLUSIVE
