"""How much later one group of requests is than another of the same run, at several quantiles at once.

A slow machine makes both groups late; the difference between them is what was added (Doksum 1974, "Empirical
probability plots and statistical inference for nonlinear models in the two-sample case"). The spans of a band hold
all together, at every moment of the run: the median has most of alpha; the quartiles show whether the added delay is
the same for everyone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isinf

from chaos.verify.quantile import Sample, Span, quantile_span
from chaos.verify.verdict import Verdict

MEDIAN = 0.5
LEVELS: Mapping[float, float] = {0.25: 0.05, MEDIAN: 0.9, 0.75: 0.05}
"""Level -> its part of alpha."""


@dataclass(frozen=True, slots=True)
class Shift:
    """The estimated shift in seconds, and the span that contains the true one."""

    estimate: float
    span: Span

    def widened(self, seconds: float) -> Shift:
        """Return the shift if it may be off by so many seconds more, in either direction; `inf` if nothing is known."""
        off = Span(0.0, inf) if isinf(seconds) else Span(self.span.low - seconds, self.span.high + seconds)
        return Shift(self.estimate, off)


def shift_band(late: Sample, reference: Sample, alpha: float) -> dict[float, Shift]:
    """Return the shift at each level; empty while nothing was late. Without a reference the shift is the whole
    latency."""
    return {level: _shift(late, reference, level, alpha * part) for level, part in LEVELS.items()} if late.n else {}


def _shift(late: Sample, reference: Sample, level: float, alpha: float) -> Shift:
    if not reference.n:
        return Shift(late.quantile(level), quantile_span(late, level, alpha))
    estimate = late.quantile(level) - reference.quantile(level)
    return Shift(estimate, quantile_span(late, level, alpha / 2).minus(quantile_span(reference, level, alpha / 2)))


def assess_span(span: Span, low: float, high: float) -> Verdict:
    """Return whether a quantity known to lie in `span` lies in [low, high]."""
    if low <= span.low and span.high <= high:
        return Verdict.VERIFIED
    if span.high < low or span.low > high:
        return Verdict.FALSIFIED
    return Verdict.INCONCLUSIVE
