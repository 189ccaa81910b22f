"""What a figure's axes show, as numbers: the page's script reads values from them, and knows where the axes lie.

A page is complete without the script; the drawing holds the same marks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from markupsafe import Markup

from chaos.report.data.latency import Floats
from chaos.report.figures.style import property_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS_PER_INCH = 72  # of matplotlib's SVG
MOST_PANELS = 40


@dataclass(frozen=True, slots=True)
class Series:
    """A line, or an area, by name: a value for each place of its panel, with the bounds of its band if it has one."""

    name: str
    colour: str
    values: Floats
    band: tuple[Floats, Floats] | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes. `at` are the places along x, one more than there are values where these are steps between two.

    `across` says what x is: seconds, or nines (`-log10(1 - q)` of a percentile); `unit` what the values are."""

    axes: Axes
    title: str
    at: Floats
    series: Sequence[Series]
    across: Literal["seconds", "nines"] = "seconds"
    unit: str = "share"


def readout(drawn: Figure, panels: Sequence[Panel]) -> Markup:
    """Return the panels as JSON that is safe inside a page's `script` element; the figure's layout must be final."""
    places: list[Floats] = []
    found = [_panel(drawn, panel, places) for panel in panels[:MOST_PANELS]]
    content = {"panels": found, "at": [_numbers(each, 6) for each in places]}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return Markup(text)


def _panel(drawn: Figure, panel: Panel, places: list[Floats]) -> dict[str, Any]:
    index = next((number for number, each in enumerate(places) if each is panel.at), len(places))
    if index == len(places):
        places.append(panel.at)
    return {
        "title": panel.title,
        "box": _box(drawn, panel.axes),
        "x": [float(edge) for edge in panel.axes.get_xlim()],
        "log": panel.axes.get_xscale() == "log",
        "across": panel.across,
        "unit": panel.unit,
        "at": index,
        "series": [_series(each) for each in panel.series],
    }


def _box(drawn: Figure, axes: Axes) -> list[float]:
    """Return left, top, right and bottom of the axes, in the drawing's own units."""
    width, height = (size * POINTS_PER_INCH for size in drawn.get_size_inches())
    place = axes.get_position()
    return [
        round(each, 2)
        for each in (place.x0 * width, (1 - place.y1) * height, place.x1 * width, (1 - place.y0) * height)
    ]


def _series(series: Series) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": series.name,
        "colour": property_of(series.colour),
        "values": _numbers(series.values),
    }
    if series.band is not None:
        found["band"] = [_numbers(each) for each in series.band]
    return found


def _numbers(values: Floats, digits: int = 4) -> list[float | int | None]:
    """Return the values with so many digits, null where there is none; whole ones without a point."""
    short = (float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values.tolist())
    return [int(each) if each is not None and each.is_integer() else each for each in short]
