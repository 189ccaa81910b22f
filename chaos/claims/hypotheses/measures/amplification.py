"""The measure amplification(host): calls to a host, the proxy's retries included, per request of a user.

Both ledgers are read at one moment: the gateway's counters right after a digest has come, and the load's count of
all responses until that digest, those that it holds back included. What is in flight is in one of them and not in the
other, but as much of it at the beginning of a stretch as at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import ClassVar

from chaos.claims.finding import Finding, Tally
from chaos.claims.hypotheses.hypothesis import Hypothesis, Known, Total, Totals, rules_of
from chaos.claims.hypotheses.limits import with_span
from chaos.claims.hypotheses.measure import Measure
from chaos.claims.hypotheses.measures.metric import Metric
from chaos.claims.hypotheses.observed_values import concerns, pending_of, share_of
from chaos.claims.hypotheses.sentences import between, ending, nothing
from chaos.claims.observations import Observed
from chaos.formatting import count as thousands
from chaos.protocol.counters import RuleCounters
from chaos.units import Unit
from chaos.verify.quantile import Span
from chaos.verify.ratio import Ratio, ratio

STRETCH = 5.0
"""Seconds. What happens within a stretch may depend on each other: a storm of retries lasts a while."""
MOST = 2.0
"""Of the limit: no stretch is assumed to cost more. One that does is seen, and then nothing is verified."""


@dataclass(frozen=True, slots=True)
class Amplification(Metric):
    unit: ClassVar[Unit] = "ratio"
    comparable: ClassVar[bool] = False
    each_second: ClassVar[bool] = False
    kind: ClassVar[str] = "amplification"

    @property
    def hidden(self) -> str:
        return "only a gateway of ours says how many calls there were"

    def judge(self, finding: Finding, hypothesis: Hypothesis, known: Known) -> Finding:
        expression, totals = hypothesis.expression, hypothesis.totals
        totals.all.append(_total(known, expression.left))
        # If users call the gateway themselves, its count of their requests is of the same moment as its count of calls.
        direct = _through_the_gateway(expression.left, known.observed)
        steps = _steps(totals.all, direct)
        calls, users = sum(each.calls for each in steps), sum(each.users for each in steps)
        finding = replace(finding, ledgers=("drawn", "observed"), observed=Tally(calls, users))
        if not users:
            return replace(finding, sentence=nothing(finding))
        estimate = calls / users
        found = _found(totals, _stretches(steps), finding.alpha, MOST * expression.limit)
        span = Span(min(found.low, estimate), max(found.high, estimate)) if found else Span(0.0, inf)
        finding = with_span(replace(finding, estimate=estimate), span, expression, expression.limit)
        return replace(finding, sentence=_sentence(finding))


def _total(known: Known, measure: Measure) -> Total:
    """Return what both ledgers have counted by now."""
    counted, observed = rules_of(known.counters, measure.phase, known.hosts.get(measure.argument, ())), known.observed
    calls = sum(c["requests"] + _retries(c) for c in counted)
    held = sum(
        count
        for (phase, task), count in observed.held.items()
        if measure.phase in (None, phase) and measure.task in (None, task)
    )
    told = share_of(Measure("failures", measure.phase, measure.task), observed).n + pending_of(measure, observed)
    return Total(observed.moment(len(observed.ends)), calls, sum(c["requests"] for c in counted), told + held)


def _retries(counts: RuleCounters) -> int:
    """Return how many tries were made after the first ones. What was sent upstream would lack the calls of clients that
    left during a delay, and it is these that retry."""
    return sum((int(tries) - 1) * count for tries, count in counts["tries"].items() if int(tries) > 1)


def _through_the_gateway(measure: Measure, observed: Observed) -> bool:
    """Return whether users send their requests to the gateway itself, so that it counts these."""
    routes = [outcome.route for outcome, _ in observed if concerns(measure, outcome) and outcome.status]
    return bool(routes) and all(routes)


def _steps(totals: Sequence[Total], direct: bool) -> list[Total]:
    """Return the increase from each judgement to the next, of which `at` is the seconds between them; those without
    any request are left out. `direct`: users' requests are the gateway's own."""
    steps = []
    before = Total(0.0, 0, 0, 0)
    for now in totals:
        users = now.own - before.own if direct else now.users - before.users
        if users or now.calls != before.calls:
            steps.append(Total(now.at - before.at, now.calls - before.calls, now.own - before.own, users))
        before = now
    return steps


def _stretches(steps: Sequence[Total]) -> list[tuple[float, float]]:
    """Return calls and user requests of each whole stretch."""
    found = []
    seconds, calls, users = 0.0, 0, 0
    for step in steps:
        seconds, calls, users = seconds + step.at, calls + step.calls, users + step.users
        if seconds >= STRETCH - 0.05:
            found.append((float(calls), float(users)))
            seconds, calls, users = 0.0, 0, 0
    return found


def _found(totals: Totals, stretches: Sequence[tuple[float, float]], alpha: float, most: float) -> Ratio | None:
    """Return the ratio of whole stretches, computed anew only when there is one more; None without any."""
    if totals.known[0] != len(stretches):
        totals.known = len(stretches), ratio(stretches, alpha, most)
    return totals.known[1]


def _sentence(finding: Finding) -> str:
    """Return the sentence on how many calls a user request cost."""
    seen = finding.observed or Tally(0, 0)
    calls = f"{thousands(seen.n)} user requests cost {thousands(seen.k)} calls"
    return f"{calls}, {finding.estimate or 0.0:.3g} each{between(finding)}{ending(finding, f'{finding.configured:g}')}"
