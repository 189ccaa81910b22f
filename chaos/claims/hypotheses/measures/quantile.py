"""Quantiles of the latency: median, p50 to p99.99."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.claims.finding import Finding
from chaos.claims.hypotheses import sentences
from chaos.claims.hypotheses.hypothesis import Hypothesis, Known
from chaos.claims.hypotheses.limits import judge_expression
from chaos.claims.hypotheses.measures.metric import Metric
from chaos.units import Unit
from chaos.verify.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Quantile(Metric):
    unit: ClassVar[Unit] = "seconds"

    def judge(self, finding: Finding, hypothesis: Hypothesis, known: Known) -> Finding:
        finding = judge_expression(finding, hypothesis.expression, hypothesis.seen(known))
        if known.starved and finding.verdict.decided:
            finding = replace(finding, verdict=Verdict.INCONCLUSIVE, cause="starved")
        return replace(finding, sentence=sentences.hypothesis(finding, hypothesis.expression, known.starved))
