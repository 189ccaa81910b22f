"""The measures of expressions, one file each. A new measure is a new file and a line here (docs/extending.md)."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.claims.hypotheses.measure import Measure
from chaos.claims.hypotheses.measures.amplification import Amplification
from chaos.claims.hypotheses.measures.masked import Masked
from chaos.claims.hypotheses.measures.metric import Metric
from chaos.claims.hypotheses.measures.quantile import Quantile
from chaos.claims.hypotheses.measures.share import SHARES

QUANTILE = Quantile("quantile")
"""The metric of p50 to p99.99, which are too many to be listed by name."""

METRICS: Mapping[str, Metric] = {
    each.name: each
    for each in (
        *SHARES,
        Masked("masked", "host"),
        Quantile("median", level=0.5),
        Amplification("amplification", "host"),
    )
}


def metric_of(measure: Measure) -> Metric:
    """Return the metric of a measure, which judges it."""
    return METRICS.get(measure.metric, QUANTILE)
