"""What each task's users got while the run went on: requests per second by status class, a panel for each task."""

from __future__ import annotations

import pandas as pd

from chaos.journal.result import Result
from chaos.report.data import frames
from chaos.report.figures.model import Drawing
from chaos.report.figures.readout import readout
from chaos.report.figures.style import figure, to_svg
from chaos.report.figures.tasks import busiest, left_out, short
from chaos.report.figures.timeline import Clock, clock_axis, shade, traffic

NAME = "Statuses of each task over time"


def statuses_over_time(result: Result, outcomes: pd.DataFrame) -> Drawing | None:
    """Draw the statuses of the busiest tasks over one clock; None for a run with a single task, whose time line shows
    them, or with fewer than two stretches with requests."""
    tasks = busiest(outcomes)
    if len(tasks) < 2 or sum(1 for stretch in result.stretches if stretch.counts) < 2:
        return None
    clock, table = Clock.of(result), frames.by_stretch(result)
    rows = -(-len(tasks) // 2)
    height = 0.55 + 1.45 * rows
    drawn = figure(height)
    grid = drawn.subplots(rows, 2, sharex=True, squeeze=False).ravel()
    parts = [
        traffic(axes, clock, table[table["task"] == task], None, short(task, 44))
        for axes, task in zip(grid, tasks, strict=False)
    ]
    for axes in grid[: len(tasks)]:
        shade(axes, result.phases, clock.edges[-1])
    for axes in grid[len(tasks) :]:
        axes.set_axis_off()
    clock_axis(grid[0], clock, most=5)
    drawn.subplots_adjust(left=0.065, right=0.985, top=1 - 0.3 / height, bottom=0.32 / height, hspace=0.36, wspace=0.16)
    legend = tuple(dict.fromkeys(sorted((each for some, _ in parts for each in some), key=lambda each: each.text)))
    shaded = "; shaded stretches are phases with faults on" if len(result.phases) > 1 else ""
    caption = f"Requests per second of each task by status{shaded}, each panel on its own axis.{left_out(outcomes)}"
    svg = to_svg(drawn, "statuses-figure", NAME, caption)
    return Drawing("statuses", NAME, svg, legend, caption, readout(drawn, [panel for _, panel in parts]))
