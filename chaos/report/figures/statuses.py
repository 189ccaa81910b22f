"""What each task's users got while the run went on: requests per second by status class, and latency, for each task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from chaos.journal.result import Result
from chaos.report.data import frames
from chaos.report.figures.model import Drawing
from chaos.report.figures.readout import readout
from chaos.report.figures.style import figure, to_svg
from chaos.report.figures.tasks import busiest, left_out, short
from chaos.report.figures.timeline import Clock, Part, clock_axis, latency, shade, traffic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "Each task over time"
COLUMNS = 2


def statuses_over_time(result: Result, outcomes: pd.DataFrame) -> Drawing | None:
    """Draw statuses and latency of the busiest tasks over one clock; None for a run with a single task, whose time line
    shows them, or with fewer than two stretches with requests."""
    tasks = busiest(outcomes)
    if len(tasks) < 2 or sum(1 for stretch in result.stretches if stretch.counts) < 2:
        return None
    clock, table = Clock.of(result), frames.by_stretch(result)
    rows = -(-len(tasks) // COLUMNS)
    height = 0.55 + 2.45 * rows
    drawn = figure(height)
    grid = drawn.subplots(2 * rows, COLUMNS, sharex=True, squeeze=False, gridspec_kw={"height_ratios": [1.2, 1] * rows})
    parts = []
    for index in range(rows * COLUMNS):
        above, below = (grid[2 * (index // COLUMNS) + row][index % COLUMNS] for row in (0, 1))
        if index < len(tasks):
            parts += _pair(above, below, clock, result, table[table["task"] == tasks[index]])
            below.tick_params(labelbottom=index + COLUMNS >= len(tasks))  # the last of its column
        else:
            above.set_axis_off()
            below.set_axis_off()
    clock_axis(grid[0][0], clock, most=5)
    drawn.subplots_adjust(left=0.065, right=0.985, top=1 - 0.3 / height, bottom=0.32 / height, hspace=0.42, wspace=0.16)
    legend = tuple(dict.fromkeys(sorted((each for some, _ in parts for each in some), key=lambda each: each.text)))
    shaded = "; shaded stretches are phases with faults on" if len(result.phases) > 1 else ""
    caption = f"Requests per second by status, and latency, of each task{shaded}.{left_out(outcomes)}"
    svg = to_svg(drawn, "tasks", NAME, caption)
    return Drawing("tasks", NAME, svg, legend, caption, readout(drawn, [panel for _, panel in parts]))


def _pair(above: Axes, below: Axes, clock: Clock, result: Result, table: pd.DataFrame) -> list[Part]:
    """Draw a task's statuses and, if the journal's reader kept it, its latency below."""
    task = str(table["task"].iloc[0])
    parts = [traffic(above, clock, table, None, f"{short(task, 36)} \u2013 requests per second")]
    shade(above, result.phases, clock.edges[-1])
    told = [stretch.tasks.get(task, (None, None)) for stretch in result.stretches]
    if any(median for median, _ in told):
        parts.append(latency(below, clock, told, f"{short(task, 36)} \u2013 latency"))
        shade(below, result.phases, clock.edges[-1])
    else:
        below.set_axis_off()
    return parts
