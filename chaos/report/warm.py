"""Make the first report as quick as the second: import everything, compile the templates, draw one figure and discard
it."""

from __future__ import annotations

import chaos.report.figures.all
import chaos.report.pages.index
import chaos.report.pages.junit
import chaos.report.pages.markdown  # noqa: F401  imported for its own sake, like those above
from chaos.report.figures.style import figure, styled, ticks, to_svg
from chaos.report.pages.page import stylesheet, template


def warm() -> None:
    """Compile the templates and draw a figure: matplotlib reads its font list and builds its first axes slowly, and
    here a run is still going on."""
    for name in ("report.html.j2", "index.html.j2", "latest.html.j2"):
        template(name)
    stylesheet()
    with styled():
        drawn = figure(2.0)
        axes = drawn.subplots()
        axes.set_yscale("log")
        axes.plot([1, 2, 3], [1, 10, 100])
        ticks(axes, "x", [1, 2, 3], ["1", "2", "3"])
        axes.set_title("warm")
        to_svg(drawn, "warm", "warm", "warm")
