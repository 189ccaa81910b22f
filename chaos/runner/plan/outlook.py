"""How long a run will take, before it begins: how many users it needs, and which of its claims will stay open.

Estimates are on the optimistic side: what is said to be too short is too short. The requests that verdicts need are
known (chaos/claims/judge/forecast.py); how fast they come follows from the delays, and from a laptop's fastest load
where there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from chaos.claims.effects import PhaseEffects
from chaos.claims.expected_outcomes import expected_outcomes, mean_delay
from chaos.claims.judge.forecast import PlanLine, expected_rate
from chaos.experiment.model import Load
from chaos.formatting import count, listed, plural
from chaos.runner.plan.phases import CAP, RunPhase
from chaos.units import format_duration

LEAST, MOST, MOST_LOCUST = 20, 1000, 200
"""Users when the file does not say how many: LEAST without delays, and at most what one process of either client does
without being short of CPU."""

COMFORT = 45.0
"""Seconds that a run with delays should take."""

AHEAD = 1.5
"""Users of an open model, as a multiple of the requests that are in flight on average."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """One phase: what its claims need, and how long a request waits for faults on average, in seconds."""

    phase: RunPhase
    lines: tuple[PlanLine, ...]
    wait: float

    @property
    def needed(self) -> int:
        """The requests of the whole load by which nine in ten of all runs have the slowest verdict."""
        return max((line.nine_in_ten or 0 for line in self.lines), default=0)

    def requests(self, load: Load) -> float:
        """Return how many requests the phase has at most; infinite if only its verdicts end it."""
        rate = expected_rate(load.users, self.wait, load.arrival_rate)
        return min(self.phase.stop.requests or float("inf"), rate * self.phase.stop.limit)

    def open(self, load: Load) -> list[PlanLine]:
        """Return the claims that more than half of all runs of this load leave open."""
        return [line for line in self.lines if line.median is not None and line.median > self.requests(load)]


def outlooks(
    phases: Sequence[RunPhase],
    effects: Sequence[PhaseEffects],
    lines: Sequence[PlanLine],
    weights: Mapping[str, float],
) -> tuple[Outlook, ...]:
    """Return the outlook of each phase."""
    return tuple(
        Outlook(
            phase,
            tuple(line for line in lines if line.expectation.phase == phase.name),
            mean_wait(found, weights),
        )
        for phase, found in zip(phases, effects, strict=False)
    )


def mean_wait(phase: PhaseEffects, weights: Mapping[str, float]) -> float:
    """Return the seconds that a request of the load waits for delays on average.

    Where nobody knows which requests take which rule (a locustfile), as long as at the slowest rule."""
    waits = [
        (effect.tasks, mean_delay(expected_outcomes(effect, faults=phase.faults), effect.patience))
        for effect in phase.effects
    ]
    if any(tasks is None for tasks, _ in waits):
        return max(wait for _, wait in waits)
    total = sum(weights.values()) or 1.0
    return sum(wait * sum(weights.get(task, 0.0) for task in tasks or ()) for tasks, wait in waits) / total


def with_enough_users(load: Load, found: Sequence[Outlook]) -> Load:
    """Return the load with as many users as its verdicts take, if the file does not say how many.

    Only where delays make each user slow, and where there is one phase: users beyond LEAST would make a phase without
    delays a different one, with latencies of its own."""
    if "users" in load.model_fields_set or len(found) != 1 or not found[0].wait:
        return load
    calls = any(task.kind == "grpc" for task in load.tasks)
    quick = load.client == "lean" and not load.locustfile and not calls
    users = min(max(LEAST, _users(load, found[0])), MOST if quick else MOST_LOCUST)
    chosen: dict[str, object] = {"users": users}
    if "spawn_rate" not in load.model_fields_set:
        chosen["spawn_rate"] = max(load.spawn_rate, users / 2)
    return load.model_copy(update=chosen)


def _users(load: Load, only: Outlook) -> int:
    if load.arrival_rate is not None:
        return ceil(AHEAD * load.arrival_rate * only.wait)
    stop = only.phase.stop
    return ceil((stop.requests or only.needed) * only.wait / min(COMFORT, stop.limit))


def too_short(load: Load, found: Sequence[Outlook]) -> Iterator[tuple[Outlook, str]]:
    """Yield each phase that will leave claims open, and a sentence that says so."""
    for each in found:
        left = each.open(load)
        if left:
            yield each, _sentence(load, each, left)


def _sentence(load: Load, each: Outlook, left: Sequence[PlanLine]) -> str:
    stop = each.phase.stop
    limited = stop.requests is not None and stop.requests <= each.requests(load)
    ends = f"after {plural(stop.requests or 0, 'request')}" if limited else _at_the_latest(load, each)
    titles = listed([f"{line.expectation.rule_name} {line.expectation.title}".strip() for line in left])
    needed = max(line.median or 0 for line in left)
    users = "" if limited or not each.wait or load.arrival_rate else f"; more users ({load.users} now) make it sooner"
    return f"it ends {ends}, which leaves open: {titles} (a verdict takes about {count(needed)} requests{users})"


def _at_the_latest(load: Load, each: Outlook) -> str:
    stop, requests = each.phase.stop, count(ceil(each.requests(load)))
    why = "" if stop.duration is not None else ", as `until: decided` does at the latest"
    return f"after {format_duration(stop.duration or CAP)}{why}, with {requests} requests or fewer"
