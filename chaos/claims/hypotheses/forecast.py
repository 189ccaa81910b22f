"""How many requests a hypothesis takes, as far as the rules alone say.

For a share the rules say what it will be if everything behind them works. A quantile can be verified by no fewer
requests than it takes when all of them keep the limit. What becomes of an application's calls nobody knows
beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from chaos.claims.effects import Effect, PhaseEffects
from chaos.claims.expected_outcomes import ExpectedOutcome, expected_outcomes
from chaos.claims.hypotheses.measure import Expression, Measure
from chaos.claims.hypotheses.measures import metric_of
from chaos.claims.hypotheses.observed_values import CHECKS, has
from chaos.protocol.digest import Key
from chaos.statuses import GRPC
from chaos.verify.claim import Claim, above, below, first_that_decides

MOST = 10_000_000
"""Requests beyond which a hypothesis is too close to its limit to be forecast."""

UNLUCKY = 1.2816  # standard deviations that nine of ten runs stay within


@dataclass(frozen=True, slots=True)
class HypothesisLine:
    """The requests of the whole load by which half and nine in ten of all runs have the verdict on a hypothesis, None
    if the rules do not say. `at_least`: no run has it earlier; `share` is the part of the load that it is about."""

    expression: Expression
    share: float
    median: int | None = None
    nine_in_ten: int | None = None
    at_least: bool = False


def hypothesis_line(
    expression: Expression, phases: Sequence[PhaseEffects], weights: Mapping[str, float], alpha: float
) -> HypothesisLine:
    """Return the forecast of one hypothesis, which has `alpha` to itself. `weights` are those of the tasks."""
    measure, share = expression.left, _part(expression.left, weights)
    metric = metric_of(measure)
    if expression.right is not None or metric.argument == "host" or share <= 0:
        return HypothesisLine(expression, share)
    if metric.unit == "seconds":
        level = measure.level or metric.level
        claim = above(level) if expression.sense == "below" else below(level)
        least = first_that_decides(
            lambda n: claim.assess(n if expression.sense == "below" else 0, n, alpha).decided, MOST
        )
        return HypothesisLine(expression, share, _of_load(least, share), _of_load(least, share), at_least=True)
    expected = _expected(measure, phases, weights)
    if expected is None:
        return HypothesisLine(expression, share)
    claim = below(expression.limit) if expression.sense == "below" else above(expression.limit)
    median, most = (_needed(claim, expected, alpha, deviations) for deviations in (0.0, UNLUCKY))
    return HypothesisLine(expression, share, _of_load(median, share), _of_load(most, share))


def _needed(claim: Claim, expected: float, alpha: float, deviations: float) -> int | None:
    """Return the requests that decide a one-sided claim when the share is `expected`, or so many standard deviations
    nearer to the limit."""
    towards = 1 if expected < claim.centre else -1

    def decided(n: int) -> bool:
        share = expected + towards * deviations * sqrt(expected * (1 - expected) / n)
        return claim.assess(min(max(share, 0.0), 1.0) * n, n, alpha).decided

    return first_that_decides(decided, MOST)


def _of_load(needed: int | None, share: float) -> int | None:
    return None if needed is None else ceil(needed / share)


def _part(measure: Measure, weights: Mapping[str, float]) -> float:
    """Return the part of the load's requests that a measure is about."""
    if measure.task is None or not weights:
        return 1.0
    return weights.get(measure.task, 0.0) / (sum(weights.values()) or 1.0)


def _expected(measure: Measure, phases: Sequence[PhaseEffects], weights: Mapping[str, float]) -> float | None:
    """Return the share that the rules alone would give; None where they do not say, or differ between phases."""
    found = [phase for phase in phases if measure.phase in (None, phase.name)]
    if len(found) != 1 or not weights or measure.metric in CHECKS:
        return None
    tasks = [measure.task] if measure.task is not None else list(weights)
    hits = total = 0.0
    for task in tasks:
        effect = next((each for each in found[0].effects if each.tasks is not None and task in each.tasks), None)
        if effect is None:
            return None
        hits += weights[task] * sum(share for share, key in _keys(effect, found[0]) if has(measure, key))
        total += weights[task]
    return min(hits / total, 1.0) if total else None


def _keys(effect: Effect, phase: PhaseEffects) -> Iterator[tuple[float, Key]]:
    for outcome in expected_outcomes(effect, faults=phase.faults):
        yield outcome.share, Key(phase.name, "", "", outcome.destination, _status(effect, outcome), outcome.fault)


def _status(effect: Effect, outcome: ExpectedOutcome) -> int:
    """Return the status that a client sees: 0 if it gives up first, and 200 or gRPC's OK from an upstream that
    works."""
    if effect.patience is not None and outcome.delay > effect.patience:
        return 0
    well = GRPC if effect.grpc else 200
    return well if outcome.status is None else outcome.status
