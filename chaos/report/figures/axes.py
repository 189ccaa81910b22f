"""Marks and axes that several figures share.

Steps are drawn as lines and areas of doubled points: `Axes.stairs` walks every corner in Python to find its limits,
which took half the time of a time line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chaos import formatting as words
from chaos.report.data.latency import Floats
from chaos.report.figures.style import nice_steps, ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEPS = [10.0**power * digit for power in range(-6, 5) for digit in (1, 2, 5)]


def time_axis(axes: Axes, which: str, low: float, high: float, most: int = 9) -> None:
    """Set ticks at 1, 2 and 5 of each decade of seconds, or only at 1 if there were more than `most`, each labelled
    with its unit."""
    places = [step for step in _STEPS if low <= step <= high]
    if len(places) > most:
        places = [step for step in places if f"{step:e}".startswith("1")]
    ticks(axes, which, places, [words.seconds(place) for place in places])


def share_axis(axes: Axes, highest: float, *, most: int = 4, room: float = 0.0) -> None:
    """Let the y axis reach from 0 to a share, with about `most` ticks in per cent; `room` is its part beyond both
    ends."""
    highest = highest if highest > 0 else 1.0
    axes.set_ylim(-room * highest, (1 + room) * highest)
    places = nice_steps(0, highest, most)
    ticks(axes, "y", places, [words.exact(place, "share") for place in places])


def step_line(axes: Axes, edges: Floats, values: Floats, **style: Any) -> None:
    """Draw a level for each stretch between two edges, joined by vertical lines; gaps where a level is not a number."""
    axes.plot(_doubled(edges), np.repeat(values, 2), **style)


def step_area(axes: Axes, edges: Floats, top: Floats, base: Floats | None = None, **style: Any) -> None:
    """Fill the area between two such lines, or down to zero."""
    floor = np.zeros(len(top)) if base is None else base
    axes.fill_between(_doubled(edges), np.repeat(floor, 2), np.repeat(top, 2), linewidth=0, **style)


def _doubled(edges: Floats) -> Floats:
    return np.repeat(edges, 2)[1:-1]
