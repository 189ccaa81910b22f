"""The values that every figure returns to the page."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from chaos.report.figures.style import property_of


@dataclass(frozen=True, slots=True)
class Legend:
    """One entry of a legend. `mark` is line, dashed, dotted, area or band."""

    colour: str
    text: str
    mark: str = "line"

    @property
    def property(self) -> str:
        """The name of the CSS custom property with the colour."""
        return property_of(self.colour)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure for the page: the drawing, its legend, a sentence about what it shows, and its values as JSON for the
    page's script."""

    name: str
    title: str
    svg: Markup
    legend: tuple[Legend, ...]
    caption: str
    data: Markup | None = None
