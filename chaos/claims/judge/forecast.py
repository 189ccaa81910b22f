"""Forecast the requests that each verdict needs, and the smallest deviation that they reveal, before anything runs.

The numbers are those of each claim's own test, scaled by the share of the load that the claim applies to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from chaos.claims.effects import Effect, PhaseEffects
from chaos.claims.expectation import Expectation
from chaos.claims.judge.judge import divide

BUSIEST = 4000.0
"""Requests per second that a closed load is assumed to reach on a laptop if nothing is delayed."""


@dataclass(frozen=True, slots=True)
class PlanLine:
    """The forecast of one claim. `median` and `nine_in_ten` are requests of the whole load by which half and nine in
    ten of all runs have the verdict; None if that depends on what is behind the rules. `share` is the part of the
    load that the claim applies to. `deviation` is the smallest that the requests of the load would reveal, as a
    share."""

    expectation: Expectation
    share: float
    median: int | None
    nine_in_ten: int | None
    deviation: float | None = None


def plan_lines(
    phases: Sequence[PhaseEffects],
    expected: Sequence[Expectation],
    weights: Mapping[str, float],
    *,
    confidence: float = 0.99,
    hypotheses: int = 0,
    requests: int | None = None,
) -> list[PlanLine]:
    """Return one line per expectation. `weights` are those of the tasks; `requests` is the size of the load if it is
    fixed."""
    alphas = divide(confidence, expected, hypotheses)
    return [
        _line(each, _share(each, phases, weights), alpha, requests)
        for each, alpha in zip(expected, alphas, strict=False)
    ]


def expected_rate(users: int, delay: float, arrival_rate: float | None = None, busiest: float | None = None) -> float:
    """Return the requests per second of the load: its arrival rate if it has one, else that of so many users whose
    requests are delayed by `delay` seconds on average. `busiest` is their rate without delays, if it was measured."""
    most = busiest or BUSIEST
    return arrival_rate or min(users / delay if delay > 0 else most, most)


def _line(expectation: Expectation, share: float, alpha: float, requests: int | None) -> PlanLine:
    needed = expectation.requests_needed(alpha) if share > 0 and not expectation.unseen else None
    if needed is None:
        return PlanLine(expectation, share, None, None)
    median, most = ceil(needed.median / share), ceil(needed.nine_in_ten / share)
    seen = requests or most
    return PlanLine(expectation, share, median, most, expectation.smallest_deviation(int(seen * share), alpha))


def _share(expectation: Expectation, phases: Sequence[PhaseEffects], weights: Mapping[str, float]) -> float:
    """Return the part of the load's requests that the claim applies to; 1.0 for those of others than the load."""
    total = sum(weights.values()) or 1.0
    sums = [total if tasks is None else sum(weights.get(each, 0.0) for each in tasks) for tasks in expectation.groups]
    own = min(sums) / total
    effect = _effect(expectation, phases)
    return own if effect is None else own * expectation.portion(effect)


def _effect(expectation: Expectation, phases: Sequence[PhaseEffects]) -> Effect | None:
    wanted = expectation.phase, expectation.rule, expectation.tasks
    found = (each for phase in phases for each in phase.effects if (phase.name, each.key, each.tasks) == wanted)
    return next(found, None)
