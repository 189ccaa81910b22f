"""Draw two runs in one figure: their latency distributions and their percentiles, for each task and phase that both
have."""

from __future__ import annotations

import pandas as pd

from chaos import formatting as words
from chaos.journal.result import Result
from chaos.report.data import frames
from chaos.report.data.latency import Shape, binned, log_edges
from chaos.report.figures.axes import share_axis, step_area, step_line, time_axis
from chaos.report.figures.distribution import BINS
from chaos.report.figures.model import Drawing, Legend
from chaos.report.figures.percentiles import Group, Line, percentiles
from chaos.report.figures.readout import Panel, Series, readout
from chaos.report.figures.style import BLUE, ORANGE, figure, to_svg
from chaos.report.figures.tasks import short

MAX_PANELS = 8

Pair = tuple[str, Shape, Shape]


def densities(a: Result, b: Result) -> Drawing | None:
    """Draw one panel per task and phase, A filled and B as a line; None when none has requests in both."""
    every = _pairs(a, b)
    pairs = every[:MAX_PANELS]
    if not pairs:
        return None
    edges = log_edges([shape for _, first, second in pairs for shape in (first, second)], BINS)
    height = 1.1 + 1.75 * len(pairs)
    drawn = figure(height)
    panels = []
    grid = drawn.subplots(len(pairs), 1, sharex=True, squeeze=False).ravel()
    for axes, (name, first, second) in zip(grid, pairs, strict=True):
        left, right = binned(first, edges) / first.total, binned(second, edges) / second.total
        step_area(axes, edges, left, color=BLUE, alpha=0.4)
        step_line(axes, edges, right, color=ORANGE, linewidth=1.9)
        axes.set_xscale("log")
        share_axis(axes, max(float(left.max()), float(right.max())) * 1.08, most=3)
        axes.set_title(f"{short(name)} \u2013 {words.count(first.total)} and {words.count(second.total)} requests")
        panels.append(Panel(axes, name, edges, [Series("A", BLUE, left), Series("B", ORANGE, right)]))
    grid[-1].set_xlim(edges[0], edges[-1])
    time_axis(grid[-1], "x", edges[0], edges[-1])
    drawn.subplots_adjust(left=0.065, right=0.985, top=1 - 0.36 / height, bottom=0.4 / height, hspace=0.28)
    caption = (
        "The latency distributions of both runs on a log axis, each scaled to its own number of requests."
        f"{_left_out(len(every))}"
    )
    legend = (Legend(BLUE, "A", "area"), Legend(ORANGE, "B"))
    name = "Latency distributions"
    return Drawing("overlay", name, to_svg(drawn, "overlay", name, caption), legend, caption, readout(drawn, panels))


def overlaid_percentiles(a: Result, b: Result) -> Drawing | None:
    """Draw the percentile lines of both runs, a panel for each task and phase that both have; None without any."""
    every = _pairs(a, b)
    groups = [
        Group((Line("A", first), Line("B", second)), title=name if len(every) > 1 else "")
        for name, first, second in every[:MAX_PANELS]
    ]
    return percentiles(groups, _left_out(len(every))) if groups else None


def _left_out(number: int) -> str:
    return f" Shown are the first {MAX_PANELS} of {number}; the table has all of them." if number > MAX_PANELS else ""


def _pairs(a: Result, b: Result) -> list[Pair]:
    """Return the latencies of both runs by task and phase, those that both have."""
    left, right = frames.outcomes(a), frames.outcomes(b)
    tasks = left["task"].nunique() > 1 or right["task"].nunique() > 1
    ours, theirs = _places(left), _places(right)
    return [
        (
            " \u00b7 ".join(part for part in (task if tasks else "", phase) if part) or "the whole run",
            shape,
            theirs[place],
        )
        for place, shape in ours.items()
        for task, phase in (place,)
        if place in theirs
    ]


def _places(table: pd.DataFrame) -> dict[tuple[str, str], Shape]:
    return {
        (str(task), str(phase)): Shape.of(frames.merged(rows["latency"]))
        for (task, phase), rows in table.groupby(["task", "phase"], sort=False)
    }
