"""Shares of requests: failures, errors, successes, aborted, delayed, status(503)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import Left, drawn_for_left
from chaos.claims.hypotheses import observed_values, sentences
from chaos.claims.hypotheses.hypothesis import Hypothesis, Known, rules_of
from chaos.claims.hypotheses.limits import against_limit, judge_expression
from chaos.claims.hypotheses.measures.metric import Metric
from chaos.claims.hypotheses.observed_values import lost_of, pending_of, share_of
from chaos.claims.shares.lost import with_lost


@dataclass(frozen=True, slots=True)
class Share(Metric):
    @property
    def hidden(self) -> str:
        share = observed_values.SHARES.get(self.name)
        return f"no response says that it was {self.name}" if share is not None and share.fault else ""

    def judge(self, finding: Finding, hypothesis: Hypothesis, known: Known) -> Finding:
        expression = hypothesis.expression
        share = observed_values.SHARES.get(self.name)
        if share is not None and share.fault and expression.right is None:
            finding = _judge_fault(finding, hypothesis, known, share.fault)
            return replace(finding, sentence=sentences.hypothesis(finding, hypothesis.expression))
        alike = {side: each.alike_in_share() for side, each in hypothesis.seconds.items()}
        finding = judge_expression(finding, expression, hypothesis.seen(known), alike)
        most = max(alike.values(), default=1.0)
        return replace(finding, sentence=sentences.hypothesis(finding, hypothesis.expression, alike=most))


def _judge_fault(finding: Finding, hypothesis: Hypothesis, known: Known, fault: str) -> Finding:
    """Return the finding on a share of faulted requests. Those without a response are unknown, unless the gateway
    counted what it drew for clients that left; it counts that for all tasks together and over the whole run."""
    expression, observed = hypothesis.expression, hypothesis.seen(known)
    lost = lost_of(expression.left, observed)
    seen = share_of(expression.left, observed)
    whole = expression.left.task is None and hypothesis.window is None
    left = _left(known, expression.phase, fault) if whole else None
    pending = pending_of(expression.left, observed)
    tally, unknown, _ = with_lost(Tally(seen.k, seen.n - lost), lost + pending, left)
    return against_limit(finding, expression, tally, unknown)


def _left(known: Known, phase: str | None, fault: str) -> Left | None:
    if known.counters is None:
        return None
    found = [drawn_for_left(counts, fault) for counts in rules_of(known.counters, phase)]
    total = sum(each.n for each in found)
    return Left(sum(each.k for each in found), total, total)


SHARES = (*(Share(name) for name in observed_values.SHARES), Share("status", "status"))
