"""How long users waited: the distribution with the expected mixture drawn over it, and percentiles on a log axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from chaos import formatting as words
from chaos.report.data import frames
from chaos.report.data.latency import Floats, Shape, binned, log_edges, quantile_band, quantiles
from chaos.report.figures.axes import step_area, step_line, time_axis
from chaos.report.figures.model import Drawing, Legend
from chaos.report.figures.style import (
    BLUE,
    DASHES,
    FAULTS,
    GREEN,
    GREY,
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

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    frames.FORWARDED: BLUE,
    frames.REPLIED: SKY,
    **{frames.FAULTED[tag]: colour for tag, colour in FAULTS.items()},
    frames.LOST: GREY,
    frames.UNKNOWN: MUTED,
}
LINES = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
BINS = 140
MAX_PANELS = 4
BAND = 0.95
POINTS = 240
NAMES = ("0", "50", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999", "99.999999", "99.9999999")

Groups = dict[str, Shape]


def distribution(outcomes: pd.DataFrame, expected: Mapping[str, Shape]) -> Drawing:
    """Draw one panel per phase: the latencies of its requests, by what happened to them.

    `expected[phase]` is the mixture that the rules predict, scaled to the number of requests that were seen."""
    phases = list(dict.fromkeys(outcomes["phase"]))[:MAX_PANELS]
    shapes = {phase: _groups(outcomes[outcomes["phase"] == phase]) for phase in phases}
    shown = [shape for groups in shapes.values() for shape in groups.values()]
    edges = log_edges([*shown, *(expected[phase] for phase in phases if phase in expected)], BINS)
    height = 1.1 + 1.75 * len(phases)
    drawn = figure(height)
    panels = drawn.subplots(len(phases), 1, sharex=True, squeeze=False).ravel()
    for axes, phase in zip(panels, phases, strict=True):
        _panel(axes, phase, shapes[phase], expected.get(phase), edges)
    panels[-1].set_xlim(edges[0], edges[-1])
    time_axis(panels[-1], "x", edges[0], edges[-1])
    drawn.subplots_adjust(left=0.02, right=0.97, top=1 - 0.36 / height, bottom=0.4 / height, hspace=0.28)
    seen = [group for group in frames.GROUPS if any(group in groups for groups in shapes.values())]
    legend = [Legend(COLOURS[group], group, "area") for group in seen]
    if expected:
        legend.append(Legend(INK, "expected from the rules"))
    caption = (
        f"How {words.count(int(outcomes['count'].sum()))} requests spread over latency (log axis); "
        "the height of a colour is its share of requests."
    )
    svg = to_svg(drawn, "latency", "Latency distribution", caption)
    return Drawing("latency", "Latency distribution", svg, tuple(legend), caption)


def _groups(rows: pd.DataFrame) -> Groups:
    return {str(name): Shape.of(frames.merged(each["latency"])) for name, each in rows.groupby("group", sort=False)}


def _panel(axes: Axes, phase: str, groups: Groups, expected: Shape | None, edges: Floats) -> None:
    """Draw the groups stacked, so that the sum of the colours is the distribution of all requests of the phase."""
    total = sum(shape.total for shape in groups.values())
    base = np.zeros(BINS)
    for name in frames.GROUPS:
        if name in groups:
            top = base + binned(groups[name], edges) / total
            step_area(axes, edges, top, base, color=COLOURS[name], alpha=0.75)
            base = top
    highest = float(base.max())
    if expected is not None:
        height = binned(expected, edges) / total
        step_line(axes, edges, height, color=INK, linewidth=1.3)
        highest = max(highest, float(height.max()))
    axes.set_xscale("log")
    axes.set_ylim(0, highest * 1.08)
    ticks(axes, "y", [], [])
    axes.set_title(f"{phase or 'the whole run'} \u2013 {words.count(total)} requests")


@dataclass(frozen=True)
class Line:
    """One line of the percentile figure; `due` is measured from the time each request was due."""

    name: str
    shape: Shape
    due: Shape | None = None


def percentiles(lines: Sequence[Line], expected: Shape | None) -> Drawing:
    """Draw the latency at each percentile, the axis stretched towards the slowest as in HdrHistogram's plots; at most
    eight lines."""
    lines = lines[: len(DASHES)]
    drawn = figure(3.5)
    axes = drawn.subplots()
    legend = []
    for index, line in enumerate(lines):
        colour, dash = LINES[index % len(LINES)], DASHES[index]
        _line(axes, line.shape, colour, dash, band=True)
        mark = "line" if dash == "-" else "dashed"
        legend.append(Legend(colour, f"{line.name} ({words.short_count(line.shape.total)} requests)", mark))
        if line.due is not None:
            _line(axes, line.due, colour, ":", band=False)
    if any(line.due is not None for line in lines):
        legend.append(Legend(MUTED, "the same from the time a request was due", "dotted"))
    if expected is not None:
        _line(axes, expected, INK, "--", band=False)
        legend.append(Legend(INK, "expected from the rules", "dashed"))
    shapes = [shape for line in lines for shape in (line.shape, line.due) if shape is not None]
    _percentile_axes(axes, [*shapes, expected] if expected is not None else shapes)
    drawn.subplots_adjust(left=0.075, right=0.985, top=0.97, bottom=0.145)
    caption = (
        f"Latency that a share of requests did not exceed; the shaded bands are pointwise {BAND:.0%} intervals. "
        "The further right, the rarer and the slower."
    )
    svg = to_svg(drawn, "percentiles", "Latency percentiles", caption)
    return Drawing("percentiles", "Percentiles", svg, tuple(legend), caption)


def _line(axes: Axes, shape: Shape, colour: str, dash: object, *, band: bool) -> None:
    """Draw a percentile line up to the slowest request; x is -log10(1 - q)."""
    nines = np.linspace(0.0, _deepest(shape), POINTS)
    fractions = 1 - 10.0**-nines
    if band:
        lower, upper = quantile_band(shape, fractions, BAND)
        axes.fill_between(nines, lower, upper, color=colour, alpha=0.18, linewidth=0)
    width = 1.8 if band else 1.2
    axes.plot(nines, quantiles(shape, fractions), color=colour, linestyle=dash, linewidth=width)


def _percentile_axes(axes: Axes, shapes: Sequence[Shape]) -> None:
    deepest = max(1.0, *(_deepest(shape) for shape in shapes))
    low = min(float(shape.at[0]) for shape in shapes) * 0.8
    high = max(float(shape.at[-1]) for shape in shapes) * 1.25
    axes.set_yscale("log")
    axes.set_xlim(0, deepest)
    axes.set_ylim(max(low, 1e-7), high)
    time_axis(axes, "y", low, high)
    marks = [0.0, -float(np.log10(0.5)), *range(1, int(deepest) + 1)]
    ticks(axes, "x", marks, [f"{name} %" for name in NAMES[: len(marks)]])
    axes.set_xlabel("percentile")


def _deepest(shape: Shape) -> float:
    """Return how many nines the sample reaches."""
    return max(0.5, float(np.log10(max(shape.total, 2.0))))
