"""A word-sized graph: an observed value from run to run, its intervals, and the configured value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from chaos import formatting as words
from chaos.units import Unit

WIDTH, HEIGHT, MARGIN = 150.0, 34.0, 5.0


class FindingSummary(TypedDict):
    """What the index keeps of one finding of a run."""

    id: str
    title: str
    rule_name: str
    phase: str
    verdict: str
    unit: Unit
    configured: float | None
    tolerance: float | None
    estimate: float | None
    interval: tuple[float | None, float | None] | None
    sense: str


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Positions in a drawing WIDTH by HEIGHT; `points` are (x, y, low y, high y, verdict)."""

    points: tuple[tuple[float, float, float, float, str], ...]
    target: float | None
    description: str

    @property
    def path(self) -> str:
        return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y, *_ in self.points)


def sparkline(history: Sequence[FindingSummary]) -> Sparkline:
    """Return the line of a finding from run to run, oldest first; each has an estimate."""
    estimates = [each["estimate"] or 0.0 for each in history]
    bounds = [_bounds(each, estimate) for each, estimate in zip(history, estimates, strict=True)]
    target = history[-1].get("configured")
    values = [value for low, high in bounds for value in (low, high)] + ([target] if target is not None else [])
    bottom, top = float(min(values)), float(max(values))
    room = (top - bottom) * 0.06 or abs(top) * 0.01 or 1e-6
    bottom, top = bottom - room, top + room

    def y(value: float) -> float:
        return MARGIN + (top - value) / (top - bottom) * (HEIGHT - 2 * MARGIN)

    step = (WIDTH - 2 * MARGIN) / max(1, len(history) - 1)
    points = tuple(
        (MARGIN + index * step, y(estimate), y(low), y(high), str(each["verdict"]))
        for index, (each, estimate, (low, high)) in enumerate(zip(history, estimates, bounds, strict=True))
    )
    seen = [words.quantity(each["estimate"], each["unit"]) for each in history]
    return Sparkline(points, None if target is None else y(target), f"{len(history)} runs: {', '.join(seen)}")


def _bounds(each: FindingSummary, estimate: float) -> tuple[float, float]:
    low, high = each["interval"] or (None, None)
    return (estimate if low is None else low), (estimate if high is None else high)
