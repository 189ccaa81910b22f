"""A word-sized graph: an observed value from run to run, its intervals, and the value that was configured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chaos import formatting as words

WIDTH, HEIGHT, MARGIN = 150.0, 34.0, 5.0


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Places in a drawing WIDTH by HEIGHT; `points` are (x, y, low y, high y, verdict)."""

    points: tuple[tuple[float, float, float, float, str], ...]
    target: float | None
    description: str

    @property
    def path(self) -> str:
        return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y, *_ in self.points)


def sparkline(history: Sequence[dict[str, Any]]) -> Sparkline:
    """Of finding records, oldest first, each with an estimate."""
    bounds = [_bounds(each) for each in history]
    target = history[-1].get("configured")
    values = [value for low, high in bounds for value in (low, high)] + ([target] if target is not None else [])
    bottom, top = float(min(values)), float(max(values))
    room = (top - bottom) * 0.06 or abs(top) * 0.01 or 1e-6
    bottom, top = bottom - room, top + room

    def y(value: float) -> float:
        return MARGIN + (top - value) / (top - bottom) * (HEIGHT - 2 * MARGIN)

    step = (WIDTH - 2 * MARGIN) / max(1, len(history) - 1)
    points = tuple(
        (MARGIN + index * step, y(each["estimate"]), y(low), y(high), str(each["verdict"]))
        for index, (each, (low, high)) in enumerate(zip(history, bounds, strict=True))
    )
    seen = [words.quantity(each["estimate"], each["unit"]) for each in history]
    return Sparkline(points, None if target is None else y(target), f"{len(history)} runs: {', '.join(seen)}")


def _bounds(each: dict[str, Any]) -> tuple[float, float]:
    low, high = each.get("interval") or (None, None)
    return (each["estimate"] if low is None else low), (each["estimate"] if high is None else high)
