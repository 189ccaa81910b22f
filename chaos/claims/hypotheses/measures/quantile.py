"""Quantiles of the latency: median, p50 to p99.99."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.claims.finding import Finding
from chaos.claims.hypotheses import sentences
from chaos.claims.hypotheses.hypothesis import Hypothesis, Known
from chaos.claims.hypotheses.limits import judge_expression
from chaos.claims.hypotheses.measure import Measure
from chaos.claims.hypotheses.measures.metric import Metric
from chaos.claims.hypotheses.observed_values import latencies_of
from chaos.claims.observations import Observed
from chaos.units import Unit
from chaos.verify.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Quantile(Metric):
    unit: ClassVar[Unit] = "seconds"

    def judge(self, finding: Finding, hypothesis: Hypothesis, known: Known) -> Finding:
        expression, seen = hypothesis.expression, hypothesis.seen(known)
        alike = {side: each.alike(_estimate(side, seen)) for side, each in hypothesis.seconds.items()}
        finding = judge_expression(finding, expression, seen, alike)
        if known.starved and finding.verdict.decided:
            finding = replace(finding, verdict=Verdict.INCONCLUSIVE, cause="starved")
        most = max(alike.values(), default=1.0)
        return replace(finding, sentence=sentences.hypothesis(finding, expression, known.starved, most))


def _estimate(measure: Measure, observed: Observed) -> float | None:
    sample = latencies_of(measure, observed)
    return sample.quantile(measure.level) if sample.n else None
