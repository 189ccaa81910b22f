"""Latency percentiles on a log axis, stretched towards the slowest, a panel for each task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from chaos import formatting as words
from chaos.report.data.latency import Floats, Shape, quantile_band, quantiles
from chaos.report.figures.axes import time_axis
from chaos.report.figures.model import Drawing, Legend
from chaos.report.figures.readout import Panel, Series, readout
from chaos.report.figures.style import (
    BLUE,
    DASHES,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    figure,
    ticks,
    to_svg,
)
from chaos.report.figures.tasks import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
BAND = 0.95
POINTS, POINTS_IN_A_GRID = 240, 120
NAMES = ("0", "50", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999", "99.999999", "99.9999999")


@dataclass(frozen=True)
class Line:
    """One line of a panel; `due` is measured from the time each request was due."""

    name: str
    shape: Shape
    due: Shape | None = None


@dataclass(frozen=True)
class Group:
    """The lines of one panel, at most eight of which are drawn, what the rules predict, and the panel's title."""

    lines: Sequence[Line]
    expected: Shape | None = None
    title: str = ""


@dataclass
class _Styles:
    """The colour and dash of each name: the same in all panels."""

    names: dict[str, int] = field(default_factory=dict)

    def of(self, name: str) -> tuple[str, object]:
        index = self.names.setdefault(name, len(self.names))
        return LINES[index % len(LINES)], DASHES[index % len(DASHES)]


def percentiles(groups: Sequence[Group], note: str = "") -> Drawing:
    """Draw the latency at each percentile, the axis stretched towards the slowest as in HdrHistogram's plots; `note`
    ends the caption."""
    columns = 1 if len(groups) == 1 else 2
    rows = -(-len(groups) // columns)
    height = 3.5 if columns == 1 else 0.55 + 2.35 * rows
    drawn = figure(height)
    grid = drawn.subplots(rows, columns, squeeze=False).ravel()
    styles = _Styles()
    panels = [_panel(axes, group, styles, alone=columns == 1) for axes, group in zip(grid, groups, strict=False)]
    for axes in grid[len(groups) :]:
        axes.set_axis_off()
    if columns == 1:
        drawn.subplots_adjust(left=0.075, right=0.985, top=0.97, bottom=0.145)
    else:
        drawn.subplots_adjust(
            left=0.075, right=0.985, top=1 - 0.3 / height, bottom=0.5 / height, hspace=0.36, wspace=0.18
        )
    caption = (
        f"Latency that a share of requests did not exceed; the shaded bands are pointwise {BAND:.0%} intervals. "
        f"The further right, the rarer and the slower.{note}"
    )
    svg = to_svg(drawn, "percentiles", "Latency percentiles", caption)
    return Drawing("percentiles", "Percentiles", svg, _legend(groups, styles), caption, readout(drawn, panels))


def _legend(groups: Sequence[Group], styles: _Styles) -> tuple[Legend, ...]:
    lines = [line for group in groups for line in group.lines[: len(DASHES)]]
    counts = {line.name: f" ({words.short_count(line.shape.total)} requests)" for line in lines}
    made = []
    for name in dict.fromkeys(line.name for line in lines):
        colour, dash = styles.of(name)
        text = name + counts[name] if len(groups) == 1 else name
        made.append(Legend(colour, text, "line" if dash == "-" else "dashed"))
    if any(line.due is not None for line in lines):
        made.append(Legend(MUTED, "the same from the time a request was due", "dotted"))
    if any(group.expected is not None for group in groups):
        made.append(Legend(INK, "expected from the rules", "dashed"))
    return tuple(made)


def _panel(axes: Axes, group: Group, styles: _Styles, *, alone: bool) -> Panel:
    lines = group.lines[: len(DASHES)]
    shapes = [shape for line in lines for shape in (line.shape, line.due) if shape is not None]
    every = [*shapes, group.expected] if group.expected is not None else shapes
    nines = np.linspace(0.0, max(1.0, *(_deepest(shape) for shape in every)), POINTS if alone else POINTS_IN_A_GRID)
    series = []
    for line in lines:
        colour, dash = styles.of(line.name)
        series.append(_line(axes, line.name, line.shape, nines, colour, dash, band=True))
        if line.due is not None:
            series.append(_line(axes, f"{line.name}, since due", line.due, nines, colour, ":", band=False))
    if group.expected is not None:
        series.append(_line(axes, "expected from the rules", group.expected, nines, INK, "--", band=False))
    _percentile_axes(axes, every, float(nines[-1]), first=0 if alone else 1)
    if alone:
        axes.set_xlabel("percentile")
    if group.title:
        axes.set_title(short(group.title, 56))
    return Panel(axes, group.title, nines, series, across="nines", unit="seconds")


def _line(axes: Axes, name: str, shape: Shape, nines: Floats, colour: str, dash: object, *, band: bool) -> Series:
    """Draw a percentile line up to the slowest request; x is -log10(1 - q)."""
    own = nines[nines <= _deepest(shape) + 1e-9]
    fractions = 1 - 10.0**-own
    values = quantiles(shape, fractions)
    bounds = quantile_band(shape, fractions, BAND) if band else None
    if bounds is not None:
        axes.fill_between(own, *bounds, color=colour, alpha=0.18, linewidth=0)
    axes.plot(own, values, color=colour, linestyle=dash, linewidth=1.8 if band else 1.2)
    return Series(name, colour, values, bounds)


def _percentile_axes(axes: Axes, shapes: Sequence[Shape], deepest: float, first: int) -> None:
    """Set the ranges and ticks; `first` is the first of NAMES that is written, 1 where there is no room for `0 %`."""
    low = min(float(shape.at[0]) for shape in shapes) * 0.8
    high = max(float(shape.at[-1]) for shape in shapes) * 1.25
    axes.set_yscale("log")
    axes.set_xlim(0, deepest)
    axes.set_ylim(max(low, 1e-7), high)
    time_axis(axes, "y", low, high)
    marks = [0.0, -float(np.log10(0.5)), *range(1, int(deepest) + 1)]
    ticks(axes, "x", marks[first:], [f"{name} %" for name in NAMES[first : len(marks)]])


def _deepest(shape: Shape) -> float:
    """Return how many nines the sample reaches."""
    return max(0.5, float(np.log10(max(shape.total, 2.0))))
