"""How each verdict came about: the interval of an observed share narrowing around its target during the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chaos import formatting as words
from chaos.claims.finding import Finding
from chaos.journal.result import Point
from chaos.report.figures.model import Drawing, Legend
from chaos.report.figures.readout import Panel, Series, readout
from chaos.report.figures.style import BLUE, GREEN, INK, figure, nice_steps, ticks, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_PANELS = 8
MAX_POINTS = 200


def convergence(findings: Sequence[Finding], history: Mapping[str, tuple[Point, ...]]) -> Drawing | None:
    """Draw a small panel per expectation that has a target and was judged more than once; None without any."""
    shown = [finding for finding in findings if finding.configured is not None and len(_points(history, finding)) > 1]
    shown = sorted(shown, key=lambda finding: finding.configured in (0, 1))[:MAX_PANELS]  # stable: certainties last
    if not shown:
        return None
    columns = 1 if len(shown) == 1 else 2
    rows = -(-len(shown) // columns)
    height = 0.35 + 2.05 * rows
    drawn = figure(height)
    panels = np.atleast_1d(drawn.subplots(rows, columns, squeeze=False).ravel())
    read = [
        _panel(axes, finding, _thin(_points(history, finding)), _title(finding, shown))
        for axes, finding in zip(panels, shown, strict=False)
    ]
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    drawn.subplots_adjust(left=0.07, right=0.985, top=1 - 0.3 / height, bottom=0.3 / height, hspace=0.42, wspace=0.16)
    legend = (
        Legend(INK, "configured", "dashed"),
        Legend(GREEN, "tolerance", "band"),
        Legend(BLUE, "observed, with its interval"),
    )
    caption = (
        "The interval of each observed value while requests came in; it holds at every moment at once, so stopping "
        "as soon as it lies inside the tolerance (or outside) is valid."
    )
    name = "How the verdicts came about"
    svg = to_svg(drawn, "convergence", name, caption)
    return Drawing("convergence", name, svg, legend, caption, readout(drawn, read))


def _panel(axes: Axes, finding: Finding, points: Sequence[Point], title: str) -> Panel:
    at = np.array([point.at for point in points])
    low = np.array([_bound(point, 0) for point in points])
    high = np.array([_bound(point, 1) for point in points])
    estimate = np.array([np.nan if point.estimate is None else point.estimate for point in points])
    bottom, top = _window(finding, estimate, low, high)
    target = finding.configured or 0.0
    band = {
        "within": (target - (finding.tolerance or 0), target + (finding.tolerance or 0)),
        "below": (bottom, target),
        "above": (target, top),
    }
    axes.axhspan(*band[finding.sense], color=GREEN, alpha=0.16, linewidth=0)
    axes.axhline(target, color=INK, linewidth=1.1, linestyle="--")
    axes.fill_between(
        at, np.clip(low, bottom, top), np.clip(high, bottom, top), color=BLUE, alpha=0.22, linewidth=0, step="post"
    )
    axes.step(at, estimate, color=BLUE, where="post")
    axes.set_ylim(bottom, top)
    axes.set_xlim(at[0], at[-1])
    steps = nice_steps(bottom, top, 4)
    ticks(axes, "y", steps, [words.exact(step, finding.unit) for step in steps])
    marks = nice_steps(at[0], at[-1], 5)
    ticks(axes, "x", marks, [words.seconds(mark) for mark in marks])
    axes.set_title(title)
    return Panel(axes, title, at, [Series("observed", BLUE, estimate, (low, high))], unit=finding.unit)


def _title(finding: Finding, among: Sequence[Finding]) -> str:
    """Return the finding's title and verdict, with its rule and phase where several have that title."""
    alike = sum(each.title == finding.title for each in among) > 1
    whose = (finding.rule_name, finding.phase) if alike else ()
    name = ", ".join([finding.title, *(part for part in whose if part)])
    short = name if len(name) <= 44 else name[:43] + "\u2026"
    return f"{short} \u2013 {finding.verdict.value}"


def _window(finding: Finding, estimate: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[float, float]:
    """Return the range of the axis worth seeing: target and tolerance, the last interval, and the recent estimates."""
    target = finding.configured or 0.0
    reach = finding.tolerance or 0.0
    late = estimate[len(estimate) // 4 :]
    places = [target - reach, target + reach, *(value for value in (low[-1], high[-1], *late) if np.isfinite(value))]
    bottom, top = min(places), max(places)
    room = max((top - bottom) * 0.5, reach, 1e-9)
    bottom, top = bottom - room, top + room
    if finding.unit == "share":
        bottom, top = max(bottom, -0.02 * (top - bottom)), min(top, 1 + 0.02 * (top - bottom))
    return bottom, top


def _bound(point: Point, side: int) -> float:
    bound = point.interval[side] if point.interval else None
    return bound if bound is not None else (-np.inf, np.inf)[side]


def _points(history: Mapping[str, tuple[Point, ...]], finding: Finding) -> tuple[Point, ...]:
    """Return the points up to the last request that counted: a phase ends before the run does."""
    points = [point for point in history.get(finding.id, ()) if point.estimate is not None]
    last = next((index for index, point in enumerate(points) if point.n == points[-1].n), 0)
    return tuple(points[: last + 1])


def _thin(points: Sequence[Point]) -> Sequence[Point]:
    """Return every n-th point and the last."""
    step = -(-len(points) // MAX_POINTS)
    return [*points[:-1:step], points[-1]]
