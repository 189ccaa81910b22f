"""The phases of a run in order: when each ends, whether faults are on, and which rules are in force.

A run without phases has one with an empty name. A ramp becomes one phase for each of its steps, so that each has its
own expectations and verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from chaos.experiment.model import Load, Phase, Spec
from chaos.mesh.source.document import Path

CAP = 300.0
"""Seconds after which `until: decided` ends a phase without another limit; open claims are then inconclusive."""


@dataclass(frozen=True, slots=True)
class Stop:
    """When a phase ends: at whichever comes first of all verdicts being decided, a duration in seconds, and a number of
    requests. False and None mean that this does not end it."""

    decided: bool = True
    duration: float | None = None
    requests: int | None = None

    @property
    def limit(self) -> float:
        """Seconds after which the phase ends at the latest; infinite if only requests end it."""
        if self.duration is not None:
            return self.duration
        return CAP if self.requests is None else float("inf")


@dataclass(frozen=True, slots=True)
class RunPhase:
    """One stretch of the run. `rules` are names of files that replace the rules; `vary` sets one fault level of them:
    (what, percent or seconds). `text` has the Istio documents in force, None for the experiment's own. `place` is its
    field of the experiment."""

    name: str = ""
    faults: bool = True
    stop: Stop = Stop()
    rules: tuple[str, ...] = ()
    vary: tuple[str, float] | None = None
    text: str | None = None
    place: Path = field(default=("spec", "load"), compare=False)


def stop_of(item: Load | Phase) -> Stop:
    """Return when the load or a phase ends; `until: decided` is the default, and the end of the last stage where there
    are any."""
    if isinstance(item, Load) and item.stages and item.duration is None and item.requests is None:
        return Stop(item.until == "decided", sum(stage.duration for stage in item.stages))
    decided = item.until == "decided" or (item.duration is None and item.requests is None)
    return Stop(decided, item.duration, item.requests)


def phases_of(spec: Spec) -> tuple[RunPhase, ...]:
    """Return the run's phases. A phase without an end of its own has the load's."""
    if not spec.phases:
        return (RunPhase(stop=stop_of(spec.load)),)
    return tuple(phase for index, each in enumerate(spec.phases) for phase in _phase(each, spec.load, index))


def _phase(phase: Phase, load: Load, index: int) -> Iterator[RunPhase]:
    own = phase.until is not None or phase.duration is not None or phase.requests is not None
    stop, place = stop_of(phase if own else load), ("spec", "phases", index)
    if phase.ramp is None:
        yield RunPhase(phase.name, phase.faults, stop, phase.rules, place=place)
        return
    ramp = phase.ramp
    for step in range(ramp.steps):
        percent = round(ramp.start + (ramp.to - ramp.start) * step / (ramp.steps - 1), 4)
        yield RunPhase(f"{phase.name}-{percent:g}", True, stop, phase.rules, (ramp.vary, percent), place=place)
