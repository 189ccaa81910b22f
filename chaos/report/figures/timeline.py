"""What happened when: requests per second by outcome, the share with a fault, latency, with phases shaded behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from chaos import formatting as words
from chaos.faults import FaultKind
from chaos.journal.result import PhaseSpan, Result
from chaos.report.data import frames
from chaos.report.data.latency import Floats
from chaos.report.figures.axes import share_axis, step_area, step_line, time_axis
from chaos.report.figures.model import Drawing, Legend
from chaos.report.figures.readout import Panel, Series, readout
from chaos.report.figures.style import (
    BLUE,
    FAULTS,
    GREEN,
    GREY,
    GRID,
    INK,
    MUTED,
    NOTE,
    ORANGE,
    PAPER,
    RED,
    SKY,
    YELLOW,
    figure,
    nice_steps,
    ticks,
    to_svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STATUS_COLOURS = {
    "1xx": GREY,
    "2xx": BLUE,
    "3xx": SKY,
    "4xx": ORANGE,
    "5xx": RED,
    frames.GRPC_OK: BLUE,
    frames.GRPC_FAILED: RED,
    frames.BY_POLICY: GREEN,
    frames.ENDED: YELLOW,
    frames.LOST: GREY,
}
MAX_POINTS = 400
TRAFFIC = "Requests per second"

Part = tuple[list[Legend], Panel]


@dataclass(frozen=True)
class Clock:
    """The stretches that the figure shows.

    `edges` are in seconds, one more than there are `groups`; each group begins at an index of the recorded
    stretches."""

    edges: Floats
    groups: NDArray[np.intp]
    recorded: int

    @classmethod
    def of(cls, result: Result) -> Clock:
        """Return at most MAX_POINTS stretches; neighbours are combined."""
        stretches = result.stretches
        begins = np.maximum.accumulate(np.array([stretch.begin for stretch in stretches]))
        groups = np.arange(0, len(stretches), -(-len(stretches) // MAX_POINTS))
        end = max(stretches[-1].end, begins[-1] + 1e-3)
        if len(groups) > 2 and end - begins[groups[-1]] < (begins[groups[-1]] - begins[groups[-2]]) / 2:
            groups = groups[:-1]  # a short rest joins its neighbour: the rate of a tenth of a second says little
        return cls(np.append(begins[groups], end), groups, len(stretches))

    @property
    def seconds(self) -> Floats:
        """The length of each stretch shown."""
        return np.maximum(np.diff(self.edges), 1e-3)

    def total(self, counts: pd.Series) -> Floats:
        """Return counts by recorded stretch added up to the stretches shown."""
        dense = counts.reindex(range(self.recorded), fill_value=0).to_numpy(dtype=float)
        return np.add.reduceat(dense, self.groups)


def timeline(result: Result) -> Drawing | None:
    """Draw two or three panels over one clock; None for a run with fewer than two stretches with requests."""
    if sum(1 for stretch in result.stretches if stretch.counts) < 2:
        return None
    clock, table = Clock.of(result), frames.by_stretch(result)
    faulty = bool((table["fault"] != "").any())
    heights = [1.25, 0.9, 1.1] if faulty else [1.25, 1.1]
    drawn = figure(0.5 + 1.57 * sum(heights))
    panels = drawn.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights})
    parts = [traffic(panels[0], clock, table, result.plan.load.get("arrival_rate"))]
    if faulty:
        parts.append(_shares(panels[1], clock, table))
    told = [(stretch.p50, stretch.p99) for stretch in result.stretches]
    several = table["task"].nunique() > 1
    parts.append(latency(panels[-1], clock, told, "Latency of all tasks together" if several else "Latency"))
    for axes in panels:
        shade(axes, result.phases, clock.edges[-1])
        if result.warm_up is not None:
            _hatch(axes, result.warm_up, clock.edges)
    _name(panels[0], result.phases if len(result.phases) > 1 else (), clock.edges[-1])
    if result.warm_up is not None:
        _name(panels[0], (replace(result.warm_up, name="warm-up"),), clock.edges[-1])
    clock_axis(panels[-1], clock)
    drawn.subplots_adjust(left=0.075, right=0.985, top=0.94, bottom=0.06, hspace=0.34)
    caption = _caption(clock, len(result.phases) > 1, result.warm_up is not None)
    svg = to_svg(drawn, "timeline", "Time line of the run", caption)
    legend = tuple(entry for entries, _ in parts for entry in entries)
    return Drawing("timeline", "Time line", svg, legend, caption, readout(drawn, [panel for _, panel in parts]))


def clock_axis(axes: Axes, clock: Clock, most: int = 8) -> None:
    """Let the x axis reach over the whole run, in seconds since it began."""
    axes.set_xlim(clock.edges[0], clock.edges[-1])
    marks = nice_steps(clock.edges[0], clock.edges[-1], most)
    ticks(axes, "x", marks, [words.seconds(mark) for mark in marks])


def traffic(axes: Axes, clock: Clock, table: pd.DataFrame, planned: float | None, title: str = TRAFFIC) -> Part:
    """Draw requests per second, stacked by status class; `planned` is a rate."""
    base = np.zeros(len(clock.groups))
    legend, series = [], []
    for status, rows in table.groupby("status"):
        colour = STATUS_COLOURS.get(str(status), GREY)
        rate = clock.total(rows.groupby("stretch")["count"].sum()) / clock.seconds
        step_area(axes, clock.edges, base + rate, base, color=colour, alpha=0.8)
        base = base + rate
        legend.append(Legend(colour, str(status), "area"))
        series.append(Series(str(status), colour, rate))
    if planned:
        axes.axhline(planned, color=INK, linewidth=1.1, linestyle="--")
        legend.append(Legend(INK, "planned arrivals", "dashed"))
    ceiling = max(float(base.max()), planned or 0.0) * 1.12 or 1.0
    axes.set_ylim(0, ceiling)
    places = nice_steps(0, ceiling, 4)
    ticks(axes, "y", places, [words.short_count(place) for place in places])
    axes.set_title(title)
    return legend, Panel(axes, title, clock.edges, series, unit="rate")


def _shares(axes: Axes, clock: Clock, table: pd.DataFrame) -> Part:
    everything = clock.total(table.groupby("stretch")["count"].sum())
    legend, series, highest = [], [], np.zeros(len(everything))
    for kind in sorted(FaultKind):
        colour = FAULTS[kind]
        met = table[table["fault"].str.contains(kind)]
        if len(met):
            share = clock.total(met.groupby("stretch")["count"].sum()) / np.maximum(everything, 1)
            step_line(axes, clock.edges, share, color=colour, linewidth=1.8)
            highest = np.maximum(highest, share)
            legend.append(Legend(colour, f"share with an injected {kind}"))
            series.append(Series(f"injected {kind}", colour, share))
    share_axis(axes, _ceiling(highest, everything), room=0.03)
    axes.set_title("Share of requests that met a fault")
    return legend, Panel(axes, "Share with a fault", clock.edges, series)


def _ceiling(shares: Floats, requests: Floats) -> float:
    """Return where an axis of shares ends: little above the highest, which of few requests may be any."""
    telling = shares[requests >= 0.1 * np.median(requests[requests > 0])] if requests.any() else shares
    return float(min(1.0, 1.15 * telling.max(initial=0.0))) or 1.0


def latency(axes: Axes, clock: Clock, told: Sequence[tuple[float | None, float | None]], title: str) -> Part:
    """Draw the worst median and the worst p99 of the combined stretches; `told` has both of each recorded one."""
    pairs = np.array([(median or np.nan, p99 or np.nan) for median, p99 in told])
    values = {name: np.fmax.reduceat(pairs[:, at], clock.groups) for at, name in enumerate(("p50", "p99"))}
    step_line(axes, clock.edges, values["p99"], color=MUTED, linewidth=1.3, linestyle="--")
    step_line(axes, clock.edges, values["p50"], color=BLUE)
    low, high = float(np.nanmin(values["p50"])) * 0.7, float(np.nanmax(values["p99"])) * 1.4
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    time_axis(axes, "y", low, high, most=5)
    axes.set_title(title)
    series = [Series("p50", BLUE, values["p50"]), Series("p99", MUTED, values["p99"])]
    legend = [Legend(BLUE, "p50"), Legend(MUTED, "p99", "dashed")]
    return legend, Panel(axes, title, clock.edges, series, unit="seconds")


def shade(axes: Axes, phases: Sequence[PhaseSpan], last: float) -> None:
    """Shade the phases with faults on, when there are others."""
    for phase in phases if len(phases) > 1 else ():
        if phase.faults:
            axes.axvspan(phase.begin, _end(phase, last), color=GRID, alpha=0.45, linewidth=0, zorder=0)


def _hatch(axes: Axes, warm_up: PhaseSpan, edges: Floats) -> None:
    """Mark the warm-up, whose requests are in no other figure."""
    begin, end = max(warm_up.begin, edges[0]), _end(warm_up, edges[-1])
    axes.axvspan(begin, end, facecolor="none", edgecolor=GRID, hatch="///", linewidth=0, zorder=0)


def _name(axes: Axes, phases: Sequence[PhaseSpan], last: float) -> None:
    """Write each phase's name at the top."""
    box = {"facecolor": PAPER, "alpha": 0.75, "linewidth": 0, "boxstyle": "round,pad=0.25"}
    for phase in phases:
        middle = (phase.begin + _end(phase, last)) / 2
        style: Any = {"ha": "center", "va": "top", "color": INK, "fontsize": 9.5, "fontweight": "bold"}
        axes.text(middle, 0.985, phase.name, transform=axes.get_xaxis_transform(), bbox=box, gid=NOTE, **style)


def _end(phase: PhaseSpan, last: float) -> float:
    return min(phase.end, last) if phase.end is not None else last


def _caption(clock: Clock, several_phases: bool, warmed_up: bool) -> str:
    if len(clock.groups) == clock.recorded:
        what = "The run as it went, a step for each record of the journal"
    else:
        what = "The run as it went, neighbouring records of the journal taken together"
    what += "; shaded stretches are phases with faults on" if several_phases else ""
    return what + ("; the hatched stretch is the warm-up, which nothing else counts." if warmed_up else ".")
