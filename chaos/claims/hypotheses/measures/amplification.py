"""The measure amplification(host): calls to a host, the proxy's retries included, per request of a user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.claims.finding import Finding, Tally
from chaos.claims.hypotheses.hypothesis import Hypothesis, Known, rules_of
from chaos.claims.hypotheses.limits import with_span
from chaos.claims.hypotheses.measure import Measure
from chaos.claims.hypotheses.measures.metric import Metric
from chaos.claims.hypotheses.observed_values import concerns, share_of
from chaos.claims.hypotheses.sentences import between, ending, nothing
from chaos.claims.observations import Observed
from chaos.formatting import count as thousands
from chaos.units import Unit
from chaos.verify.quantile import Span
from chaos.verify.ratio import ratio


@dataclass(frozen=True, slots=True)
class Amplification(Metric):
    unit: ClassVar[Unit] = "ratio"
    comparable: ClassVar[bool] = False
    each_second: ClassVar[bool] = False
    kind: ClassVar[str] = "amplification"

    def judge(self, finding: Finding, hypothesis: Hypothesis, known: Known) -> Finding:
        expression, observed = hypothesis.expression, known.observed
        measure = expression.left
        counted = rules_of(known.counters, measure.phase, known.hosts.get(measure.argument, ()))
        calls = sum(c["requests"] - c["forwarded"] + c["upstream_requests"] for c in counted)
        users = share_of(Measure("failures", measure.phase, measure.task), observed).n
        hypothesis.totals.append((calls, users, sum(c["requests"] for c in counted)))
        # If users call the gateway themselves, its count of their requests is of the same moment as its count of calls.
        column = 2 if _through_the_gateway(measure, observed) else 1
        users = int(hypothesis.totals[-1][column])
        found = ratio(_steps([(each[0], each[column]) for each in hypothesis.totals]), finding.alpha)
        finding = replace(finding, ledgers=("drawn", "observed"), observed=Tally(int(calls), users))
        if found is None:
            return replace(finding, sentence=nothing(finding))
        finding = replace(finding, estimate=found.estimate)
        finding = with_span(finding, Span(found.low, found.high), expression, expression.limit)
        return replace(finding, sentence=_sentence(finding))


def _through_the_gateway(measure: Measure, observed: Observed) -> bool:
    """Return whether users send their requests to the gateway itself, so that it counts these."""
    routes = [outcome.route for outcome, _ in observed if concerns(measure, outcome) and outcome.status]
    return bool(routes) and all(routes)


def _steps(totals: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the increase of the totals from each judgement to the next."""
    before = [(0.0, 0.0), *totals[:-1]]
    return [(now[0] - then[0], now[1] - then[1]) for then, now in zip(before, totals, strict=True)]


def _sentence(finding: Finding) -> str:
    """Return the sentence on how many calls a user request cost."""
    seen = finding.observed or Tally(0, 0)
    calls = f"{thousands(seen.n)} user requests cost {thousands(seen.k)} calls"
    return f"{calls}, {finding.estimate or 0.0:.3g} each{between(finding)}{ending(finding, f'{finding.configured:g}')}"
