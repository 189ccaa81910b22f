"""Shares of requests: failures, errors, successes, aborted, delayed, status(503)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chaos.claims.finding import Finding
from chaos.claims.hypotheses import observed_values, sentences
from chaos.claims.hypotheses.hypothesis import Hypothesis, Known
from chaos.claims.hypotheses.limits import judge_expression
from chaos.claims.hypotheses.measures.metric import Metric


@dataclass(frozen=True, slots=True)
class Share(Metric):
    def judge(self, finding: Finding, hypothesis: Hypothesis, known: Known) -> Finding:
        finding = judge_expression(finding, hypothesis.expression, hypothesis.seen(known))
        return replace(finding, sentence=sentences.hypothesis(finding, hypothesis.expression))


SHARES = (*(Share(name) for name in observed_values.SHARES), Share("status", "status"))
