"""Draw two runs in one figure: their latency distributions and their percentiles, for each phase that both have."""

from __future__ import annotations

import pandas as pd

from chaos import formatting as words
from chaos.journal.result import Result
from chaos.report.data import frames
from chaos.report.data.latency import Shape, binned, log_edges
from chaos.report.figures.axes import step_area, step_line, time_axis
from chaos.report.figures.latency import BINS, Line, percentiles
from chaos.report.figures.model import Drawing, Legend
from chaos.report.figures.style import BLUE, ORANGE, figure, ticks, to_svg

MAX_PANELS = 4


def densities(a: Result, b: Result) -> Drawing | None:
    """Draw one panel per phase, A filled and B as a line; None when no phase has requests in both."""
    pairs = _pairs(a, b)[:MAX_PANELS]
    if not pairs:
        return None
    edges = log_edges([shape for _, first, second in pairs for shape in (first, second)], BINS)
    height = 1.1 + 1.75 * len(pairs)
    drawn = figure(height)
    panels = drawn.subplots(len(pairs), 1, sharex=True, squeeze=False).ravel()
    for axes, (phase, first, second) in zip(panels, pairs, strict=True):
        left, right = binned(first, edges) / first.total, binned(second, edges) / second.total
        step_area(axes, edges, left, color=BLUE, alpha=0.4)
        step_line(axes, edges, right, color=ORANGE, linewidth=1.9)
        axes.set_xscale("log")
        axes.set_ylim(0, max(float(left.max()), float(right.max())) * 1.08)
        ticks(axes, "y", [], [])
        axes.set_title(f"{phase or 'the whole run'} \u2013 {words.count(first.total)} and {words.count(second.total)}")
    panels[-1].set_xlim(edges[0], edges[-1])
    time_axis(panels[-1], "x", edges[0], edges[-1])
    drawn.subplots_adjust(left=0.02, right=0.97, top=1 - 0.36 / height, bottom=0.4 / height, hspace=0.28)
    caption = "The latency distributions of both runs on a log axis, each scaled to its own number of requests."
    legend = (Legend(BLUE, "A", "area"), Legend(ORANGE, "B"))
    name = "Latency distributions"
    return Drawing("overlay", name, to_svg(drawn, "overlay", name, caption), legend, caption)


def overlaid_percentiles(a: Result, b: Result) -> Drawing | None:
    """Draw the percentile lines of both runs, for each phase that both have; None without any."""
    pairs = _pairs(a, b)[:3]
    several = len(pairs) > 1
    lines = []
    for phase, first, second in pairs:
        lines += [
            Line(f"A, {phase}" if several else "A", first),
            Line(f"B, {phase}" if several else "B", second),
        ]
    return percentiles(lines, None) if lines else None


def _pairs(a: Result, b: Result) -> list[tuple[str, Shape, Shape]]:
    left, right = _phases(frames.outcomes(a)), _phases(frames.outcomes(b))
    return [(phase, shape, right[phase]) for phase, shape in left.items() if phase in right]


def _phases(table: pd.DataFrame) -> dict[str, Shape]:
    return {str(phase): Shape.of(frames.merged(rows["latency"])) for phase, rows in table.groupby("phase", sort=False)}
