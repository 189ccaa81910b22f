"""How long users waited, task by task: the distribution of latencies with the expected mixture drawn over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from chaos import formatting as words
from chaos.report.data import frames
from chaos.report.data.latency import Floats, Shape, binned, log_edges
from chaos.report.figures.axes import share_axis, step_area, step_line, time_axis
from chaos.report.figures.model import Drawing, Legend
from chaos.report.figures.readout import Panel, Series, readout
from chaos.report.figures.style import BLUE, FAULTS, GREEN, GREY, INK, MUTED, PURPLE, SKY, YELLOW, figure, to_svg
from chaos.report.figures.tasks import busiest, left_out, phases_of, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    frames.FORWARDED: BLUE,
    frames.REPLIED: SKY,
    **{frames.FAULTED[tag]: colour for tag, colour in FAULTS.items()},
    frames.LATE: FAULTS["delay"],
    frames.BY_POLICY: GREEN,
    frames.TOUCHED: YELLOW,
    frames.ENDED: PURPLE,
    frames.PERHAPS: GREY,
    frames.LOST: GREY,
    frames.UNKNOWN: MUTED,
}
BINS, BINS_IN_A_GRID = 140, 90

Groups = dict[str, Shape]


@dataclass(frozen=True)
class Cell:
    """One panel: the requests of a task in a phase. `heading` stands above a row of them."""

    task: str
    phase: str
    groups: Groups
    expected: Shape | None
    title: str
    heading: str = ""

    @property
    def total(self) -> float:
        return sum(shape.total for shape in self.groups.values())

    @property
    def name(self) -> str:
        return " \u00b7 ".join(part for part in (self.task, self.phase) if part)


def distribution(outcomes: pd.DataFrame, expected: Mapping[tuple[str, str], Shape]) -> Drawing:
    """Draw a panel for each task and phase: the latencies of its requests, by what happened to them.

    `expected[phase, task]` is the mixture that the rules predict, scaled to the number of requests that were seen."""
    rows = _grid(outcomes, expected)
    cells = [cell for row in rows for cell in row if cell.groups]
    columns = max(len(row) for row in rows)
    shapes = [shape for cell in cells for shape in (*cell.groups.values(), *([cell.expected] if cell.expected else []))]
    edges = log_edges(shapes, BINS if columns == 1 else BINS_IN_A_GRID)
    headed = any(cell.heading for cell in cells)
    height = 0.75 + (1.75 if columns == 1 else 1.5 + 0.25 * headed) * len(rows)
    drawn = figure(height)
    grid = drawn.subplots(len(rows), columns, sharex=True, squeeze=False)
    panels = [
        _panel(axes, cell, edges)
        for line, row in zip(grid, rows, strict=True)
        for axes, cell in zip(line, row, strict=False)
        if cell.groups or axes.set_axis_off()
    ]
    for above, line, row in zip(grid, grid[1:], rows[1:], strict=False):
        for axes, unused in list(zip(above, line, strict=True))[len(row) :]:
            axes.tick_params(labelbottom=True)  # the last of its column
            unused.set_axis_off()
    grid[-1][0].set_xlim(edges[0], edges[-1])
    time_axis(grid[-1][0], "x", edges[0], edges[-1], most=9 if columns == 1 else 4)
    top = 0.36 + 0.2 * headed
    drawn.subplots_adjust(
        left=0.065,
        right=0.985,
        top=1 - top / height,
        bottom=0.32 / height,
        hspace=0.28 if columns == 1 else 0.34 + 0.2 * headed,
        wspace=0.2,
    )
    seen = [group for group in frames.GROUPS if any(group in cell.groups for cell in cells)]
    legend = [Legend(COLOURS[group], group, "area") for group in seen]
    if any(cell.expected for cell in cells):
        legend.append(Legend(INK, "expected from the rules"))
    caption = _caption(outcomes, edges, frames.LATE in seen)
    svg = to_svg(drawn, "latency", "Latency distribution", caption)
    return Drawing("latency", "Latency distribution", svg, tuple(legend), caption, readout(drawn, panels))


def _grid(outcomes: pd.DataFrame, expected: Mapping[tuple[str, str], Shape]) -> list[list[Cell]]:
    """Return the panels in rows: of one task its phases one below the other, of one phase its tasks side by side, else
    a row for each task."""
    tasks, phases = busiest(outcomes), phases_of(outcomes)
    if len(tasks) == 1:
        return [[_cell(outcomes, expected, tasks[0], phase, phase or "the whole run")] for phase in phases]
    if len(phases) == 1:
        cells = [_cell(outcomes, expected, task, phases[0], short(task, 40)) for task in tasks]
        return [cells[at : at + 2] for at in range(0, len(cells), 2)]
    return [
        [
            _cell(outcomes, expected, task, phase, short(phase, 20), "" if at else task)
            for at, phase in enumerate(phases)
        ]
        for task in tasks
    ]


def _cell(
    outcomes: pd.DataFrame,
    expected: Mapping[tuple[str, str], Shape],
    task: str,
    phase: str,
    title: str,
    heading: str = "",
) -> Cell:
    rows = outcomes[(outcomes["phase"] == phase) & (outcomes["task"] == task)]
    groups = {str(name): Shape.of(frames.merged(each["latency"])) for name, each in rows.groupby("group", sort=False)}
    return Cell(task, phase, groups, expected.get((phase, task)), title, heading)


def _panel(axes: Axes, cell: Cell, edges: Floats) -> Panel:
    """Draw the groups stacked, so that the sum of the colours is the distribution of all requests of the panel."""
    base = np.zeros(len(edges) - 1)
    series = []
    for name in frames.GROUPS:
        if name in cell.groups:
            part = binned(cell.groups[name], edges) / cell.total
            step_area(axes, edges, base + part, base, color=COLOURS[name], alpha=0.75)
            base = base + part
            series.append(Series(name, COLOURS[name], part))
    highest = float(base.max())
    if cell.expected is not None:
        height = binned(cell.expected, edges) / cell.total
        step_line(axes, edges, height, color=INK, linewidth=1.3)
        highest = max(highest, float(height.max()))
        series.append(Series("expected from the rules", INK, height))
    axes.set_xscale("log")
    share_axis(axes, highest * 1.08, most=3)
    axes.set_title(f"{cell.title} \u2013 {words.count(cell.total)} requests")
    if cell.heading:
        axes.text(0, 1.24, short(cell.heading), transform=axes.transAxes, fontweight="bold", fontsize=10.5)
    return Panel(axes, cell.name, edges, series)


def _caption(outcomes: pd.DataFrame, edges: Sequence[float] | Floats, late: bool) -> str:
    step = float(edges[1] / edges[0])
    parts = [
        f"How {words.count(int(outcomes['count'].sum()))} requests spread over latency (log axis): the height of a "
        f"colour is the share of the panel's requests whose latency falls into a step, each {step:.3g} times the one "
        "before.",
        f" \u201c{frames.LATE.capitalize()}\u201d is told by the latency alone: the load cannot see which calls of the "
        "application were delayed, only that delays were on, and how long they were."
        if late
        else "",
        left_out(outcomes, phases=True),
    ]
    return "".join(parts)
