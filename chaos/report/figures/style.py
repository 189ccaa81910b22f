"""The look of all figures, and how they become part of the page.

Figures are drawn once, in stand-in colours; on the way into the page each becomes a CSS custom property
(`var(--blue)`), so that one drawing follows the reader's light or dark scheme and the printer's. Text stays text, in
the page's own font.

The hues are Okabe and Ito's, which people with any kind of colour vision can tell apart; no meaning rests on colour
alone."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from chaos.faults import TAGS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Stand-ins: unlikely colours, each unique, replaced by the custom property of the same name (report.css has the
# values).
INK = "#010a01"  # titles and values
MUTED = "#010a02"  # axis text
GRID = "#010a03"
PAPER = "#010a04"  # the page's own background: outlines that separate marks
BLUE = "#010a11"
ORANGE = "#010a12"
GREEN = "#010a13"
RED = "#010a14"
PURPLE = "#010a15"
SKY = "#010a16"
GREY = "#010a17"
YELLOW = "#010a18"

_PROPERTIES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    PAPER: "paper",
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    RED: "red",
    PURPLE: "purple",
    SKY: "sky",
    GREY: "grey",
    YELLOW: "yellow",
}
_STAND_IN = re.compile("|".join(_PROPERTIES))


def _fault_colours() -> dict[str, str]:
    """Return a colour for each of `TAGS`, by its place: of faults alone and of those that met one request together."""
    alone, together = cycle((PURPLE, ORANGE, GREEN, YELLOW)), cycle((RED, YELLOW, GREEN))
    return {tag: next(together if "," in tag else alone) for tag in TAGS}


FAULTS = _fault_colours()


def property_of(colour: str) -> str:
    """Return the name of the CSS custom property for a stand-in colour."""
    return _PROPERTIES[colour]


SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW, GREY)
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), "-")

NOTE = "note"
"""The gid of a text inside the axes, which the page's script hides where it no longer belongs to what is shown."""

WIDTH = 9.6  # inches; the page scales figures, so this only sets the proportion of text to drawing

_SETTINGS: Any = {
    "svg.fonttype": "none",  # text as text: small, searchable, read aloud
    "svg.hashsalt": "chaos",  # the same run gives the same bytes
    "text.parse_math": False,  # names may contain dollar signs, and mathtext is slow
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same layout on every machine
    "font.size": 10.0,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # where it always is; searching for it lays out every tick once more
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "path.simplify": True,
    "path.simplify_threshold": 0.5,
}


@contextmanager
def styled() -> Iterator[None]:
    """Apply the settings inside the block, in which all figures must be drawn."""
    import matplotlib

    with matplotlib.rc_context(_SETTINGS):
        yield


def figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure of that size in inches, without pyplot, which would load a window system and keep every
    figure."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height))
    FigureCanvasSVG(made)
    return made


def ticks(axes: Axes, which: str, places: Sequence[float], labels: Sequence[str]) -> None:
    """Set the ticks of axis `x` or `y`, instead of letting a locator search for them, which takes three times as
    long."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(list(places)))
    axis.set_major_formatter(FixedFormatter(list(labels)))
    axis.set_minor_locator(NullLocator())


def nice_steps(low: float, high: float, wanted: int = 5) -> list[float]:
    """Return about `wanted` round numbers (1, 2, 2.5 or 5 times a power of ten) that cover low..high from inside."""
    if not high > low:
        return [low]
    rough = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


_DROPPED = re.compile(
    r"(?:<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>|<g id=\"[^\"]*\"/>)\s*",
    re.DOTALL,
)
_SIZE = re.compile(r'<svg xmlns:xlink="[^"]*" width="[^"]*" height="[^"]*" ')
_GROUP_ID = re.compile(r'<g id="([^"]*)">')
_PLACES = re.compile(r' (?:d|x|y|width|height|transform)="[^"]*"')
_DECIMALS = re.compile(r"(\.\d\d)\d+")
_AXIS = re.compile(r"matplotlib\.axis_(\d+)")
_DEFINED = re.compile(
    r'(?<=id=")(?=[mp][0-9a-f]{8,}")|(?<=href="#)(?=[mp][0-9a-f]{8,}")|(?<=url\(#)(?=[mp][0-9a-f]{8,}\))'
)
_FONT = re.compile(r"font-family: 'DejaVu Sans', sans-serif")
_LINE_BREAK = re.compile(r"\s*\n\s*")


def _group(found: re.Match[str]) -> str:
    """Return the beginning of a group; those that the page's script looks for have a class."""
    axis = _AXIS.fullmatch(found[1])
    if axis:
        return f'<g class="{"x" if int(axis[1]) % 2 else "y"}-axis">'
    return f'<g class="{NOTE}">' if found[1] == NOTE else "<g>"


def _rounded(found: re.Match[str]) -> str:
    """Return an attribute with its numbers to a hundredth of a point."""
    return _DECIMALS.sub(r"\1", found[0])


def to_svg(drawn: Figure, name: str, title: str, description: str) -> Markup:
    """Return the figure as an element for the page: sized by its view box, in the page's colours and font, named for
    screen readers.

    `name` keeps the identifiers of several figures on one page apart."""
    text = io.StringIO()
    drawn.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = _DROPPED.sub("", text.getvalue())
    svg = _SIZE.sub(f'<svg class="figure" role="img" aria-labelledby="{name}-t {name}-d" ', svg, count=1)
    svg = _GROUP_ID.sub(_group, svg)
    svg = _PLACES.sub(_rounded, svg)
    svg = _DEFINED.sub(f"{name}-", svg)
    svg = _FONT.sub("font-family: var(--sans)", svg)
    svg = _LINE_BREAK.sub(" ", svg)
    svg = _STAND_IN.sub(lambda found: f"var(--{_PROPERTIES[found[0]]})", svg)
    words = f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(description)}</desc>'
    start = svg.index(">", svg.index("<svg")) + 1
    return Markup(svg[:start] + words + svg[start:])
