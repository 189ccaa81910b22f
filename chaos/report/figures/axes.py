"""Axes that several figures share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos.report import words
from chaos.report.style import ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEPS = [10.0**power * digit for power in range(-6, 5) for digit in (1, 2, 5)]


def time_axis(axes: Axes, which: str, low: float, high: float, most: int = 9) -> None:
    """Ticks at 1, 2 and 5 of each decade of seconds, or only at 1 where these would be more than `most`, each named
    with its unit."""
    places = [step for step in _STEPS if low <= step <= high]
    if len(places) > most:
        places = [step for step in places if f"{step:e}".startswith("1")]
    ticks(axes, which, places, [words.seconds(place) for place in places])
