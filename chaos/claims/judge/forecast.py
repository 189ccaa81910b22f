"""What a verdict on each expectation will take, before anything runs: requests, load, and the smallest deviation seen.

The numbers are those of the claim's own test (`chaos.verify.planning`), scaled by the share of the load that the
claim is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from chaos.claims.effects import Effect, PhaseEffects
from chaos.claims.expectations import Expectation
from chaos.claims.judge.shares import MAIN, divide
from chaos.verify.claim import within
from chaos.verify.planning import requests_needed, smallest_deviation
from chaos.verify.quantile import allowed_ranks

BUSIEST = 4000.0
"""Requests per second that a closed load is taken to reach on a laptop when nothing is delayed."""


@dataclass(frozen=True, slots=True)
class PlanLine:
    """`median` and `nine_in_ten` are requests of the whole load by which half and nine in ten of all runs have the
    verdict; None where it depends on how often the upstream fails. `share` is the part of the load that the claim is
    about. `deviation` is the smallest that `requests` of the load would show, as a share."""

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
    """One line per expectation. `weights` are those of the tasks; `requests` is the size of the load when it is
    fixed."""
    alphas = divide(confidence, expected, hypotheses)
    return [
        _line(each, _share(each, phases, weights), alpha, requests)
        for each, alpha in zip(expected, alphas, strict=False)
    ]


def expected_rate(users: int, delay: float, arrival_rate: float | None = None) -> float:
    """Requests per second of the load: users that wait `delay` seconds on average between requests, or what is due."""
    return arrival_rate or min(users / delay if delay > 0 else BUSIEST, BUSIEST)


def _line(expectation: Expectation, share: float, alpha: float, requests: int | None) -> PlanLine:
    if share <= 0 or expectation.kind == "residual" or expectation.share is None:
        return PlanLine(expectation, share, None, None)
    if expectation.kind == "added-delay":
        least = ceil(_least_for_a_median(alpha / 2) / share)
        return PlanLine(expectation, share, least, least)
    claim = within(expectation.share, expectation.tolerance)
    needed = requests_needed(claim, alpha * MAIN)
    seen = requests or ceil(needed.nine_in_ten / share)
    deviation = smallest_deviation(claim, max(1, int(seen * share)), alpha * MAIN)
    return PlanLine(expectation, share, ceil(needed.median / share), ceil(needed.nine_in_ten / share), deviation)


def _share(expectation: Expectation, phases: Sequence[PhaseEffects], weights: Mapping[str, float]) -> float:
    """Of the load's requests, those that the claim is about: its tasks', those that are forwarded, the scarcer half
    for a comparison of two halves. Requests from elsewhere are counted as one each."""
    total = sum(weights.values()) or 1.0
    own = 1.0 if expectation.tasks is None else sum(weights.get(task, 0.0) for task in expectation.tasks) / total
    effect = _effect(expectation, phases)
    if effect is None:
        return own
    if expectation.kind in ("destination", "mirror", "residual"):
        return own * (1 - (effect.abort_share or 0.0))
    if expectation.kind == "added-delay":
        delayed = effect.delay_share or 0.0
        return own * (min(delayed, 1 - delayed) or delayed)
    return own


def _effect(expectation: Expectation, phases: Sequence[PhaseEffects]) -> Effect | None:
    wanted = expectation.phase, expectation.rule, expectation.tasks
    found = (each for phase in phases for each in phase.effects if (phase.name, each.key, each.tasks) == wanted)
    return next(found, None)


def _least_for_a_median(alpha: float) -> int:
    """The smallest number of requests that bounds their median on both sides."""
    low, high = 0, 1
    while not _bounded(high, alpha):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _bounded(middle, alpha) else (middle, high)
    return high


def _bounded(n: int, alpha: float) -> bool:
    low, high = allowed_ranks(n, 0.5, alpha)
    return low > 0 and high < n
