"""Judge hypotheses: shares, quantiles and ratios against their limits, each with its part of the run's alpha."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chaos.claims.expectation import WITHOUT_GATEWAY
from chaos.claims.finding import Finding
from chaos.claims.hypotheses.hypothesis import Hosts, Hypothesis, Known
from chaos.claims.hypotheses.masking import Masking
from chaos.claims.hypotheses.measure import Expression
from chaos.claims.hypotheses.measures import metric_of
from chaos.claims.hypotheses.unseen import Unseen, nothing
from chaos.claims.observations import Earliest, Observations, Observed
from chaos.protocol.counters import GatewayCounters
from chaos.verify.verdict import Verdict


class Hypotheses:
    """All hypotheses of an experiment. `observe` and `findings` are called as those of Judge. `tagged` is False if the
    gateway sends no tags and has no counters: what only these show is not judged, nor is what is `unseen`."""

    def __init__(
        self,
        expressions: Sequence[Expression],
        hosts: Hosts | None = None,
        *,
        tagged: bool = True,
        unseen: Unseen = nothing,
        earliest: Earliest = lambda _: 0.0,
    ):
        self.all = tuple(
            Hypothesis(expression, f"expect#{number}#{expression.text}", earliest)
            for number, expression in enumerate(expressions)
        )
        self.hosts = hosts or {}
        self._tagged, self._unseen = tagged, unseen
        self.masking = Masking()
        self._earlier: GatewayCounters | None = None

    def observe(self, digest: Observations) -> None:
        """Add one whole second."""
        for hypothesis in self.all:
            hypothesis.observe(digest)

    def findings(
        self, observed: Observed, counters: GatewayCounters | None, confidence: float, alpha: float, starved: str = ""
    ) -> list[Finding]:
        """Return one finding per hypothesis."""
        known = Known(observed, counters, self._earlier, self.hosts, self.masking, starved)
        self._earlier = known.counters
        return [self._judge(each, blank(each, confidence, alpha), known) for each in self.all]

    def _judge(self, hypothesis: Hypothesis, finding: Finding, known: Known) -> Finding:
        reason = self._reason(hypothesis.expression)
        if reason:
            sentence = f"Not judged: {reason}."
            return replace(finding, verdict=Verdict.NOT_JUDGED, cause="unseen", ledgers=(), sentence=sentence)
        return metric_of(hypothesis.expression.left).judge(finding, hypothesis, known)

    def _reason(self, expression: Expression) -> str:
        outside = "" if self._tagged else hidden(expression)
        if not outside:
            return self._unseen(expression)
        return f"it cannot be seen from outside, as {outside}; {WITHOUT_GATEWAY}"


def hidden(expression: Expression) -> str:
    """Return why an expression cannot be judged through a gateway that says nothing; empty if it can."""
    sides = (expression.left, expression.right)
    return next((reason for side in sides if side is not None and (reason := metric_of(side).hidden)), "")


def blank(hypothesis: Hypothesis, confidence: float, alpha: float) -> Finding:
    """Return the finding of a hypothesis that has seen no request yet."""
    expression = hypothesis.expression
    return Finding(
        id=hypothesis.id,
        kind=metric_of(expression.left).kind,
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
        sentence="No request that it applies to was seen.",
    )
