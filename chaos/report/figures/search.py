"""What a search tried and found: the observed value at each level of the fault, against the bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chaos import formatting as words
from chaos.claims.finding import Finding
from chaos.report.figures.model import Drawing, Legend
from chaos.report.figures.style import BLUE, GREEN, GREY, INK, ORANGE, RED, figure, nice_steps, ticks, to_svg
from chaos.units import Unit, parse_duration
from chaos.verify.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A shape for each verdict, as colour alone may not carry it.
MARKS = {Verdict.VERIFIED: ("o", GREEN), Verdict.FALSIFIED: ("X", RED), Verdict.INCONCLUSIVE: ("D", ORANGE)}


def search(findings: Sequence[Finding]) -> Drawing | None:
    """Draw the search; None without one, or before it has tried two levels."""
    answer = next((each for each in findings if each.kind == "search"), None)
    tried = _tried(findings)
    if answer is None or len(tried) < 2:
        return None
    drawn = figure(3.3)
    axes = drawn.subplots()
    _answer(axes, answer, tried[-1][0])
    for level, finding in tried:
        _level(axes, level, finding)
    bound = tried[0][1].configured
    if bound is not None:
        axes.axhline(bound, color=INK, linewidth=1.1, linestyle="--")
    _scales(axes, tried, answer.unit)
    drawn.subplots_adjust(left=0.075, right=0.97, top=0.97, bottom=0.11)
    legend = (
        Legend(INK, f"bound: {tried[0][1].title.partition(': ')[2] or tried[0][1].title}", "dashed"),
        Legend(GREEN, "\u25cf holds", "area"),
        Legend(RED, "\u2716 is broken", "area"),
        Legend(ORANGE, "\u25c6 undecided", "area"),
        Legend(BLUE, "range of the largest level at which it holds", "band"),
    )
    caption = f"{answer.title}: what was observed at each level that was tried, with its interval."
    return Drawing("search", answer.title, to_svg(drawn, "search", answer.title, caption), legend, caption)


def _tried(findings: Sequence[Finding]) -> list[tuple[float, Finding]]:
    judged = [each for each in findings if each.kind == "hypothesis" and each.estimate is not None]
    levels = [(level_of(each.phase), each) for each in judged]
    return sorted(((level, each) for level, each in levels if level is not None), key=lambda pair: pair[0])


def level_of(phase: str) -> float | None:
    """Return the level in the name of a search's phase: 0.225 for `abort-22.5 %`, 0.25 for `fixedDelay-250ms`; None for
    other phases."""
    text = phase.partition("-")[2].replace(words.THIN, "").replace(" ", "")
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else parse_duration(text)
    except ValueError:
        return None


def _answer(axes: Axes, answer: Finding, last: float) -> None:
    low, high = answer.interval or (None, None)
    if low is not None or high is not None:
        axes.axvspan(0.0 if low is None else low, last if high is None else high, color=BLUE, alpha=0.14, linewidth=0)


def _level(axes: Axes, level: float, finding: Finding) -> None:
    mark, colour = MARKS.get(finding.verdict, (".", GREY))
    low, high = finding.interval or (None, None)
    if low is not None and high is not None:
        axes.plot([level, level], [low, high], color=colour, linewidth=2.2, alpha=0.7)
    axes.plot([level], [finding.estimate or 0.0], marker=mark, color=colour, markersize=8, linestyle="none")


def _scales(axes: Axes, tried: Sequence[tuple[float, Finding]], unit: Unit) -> None:
    levels = [level for level, _ in tried]
    room = (levels[-1] - levels[0]) * 0.04
    axes.set_xlim(levels[0] - room, levels[-1] + room)
    marks = nice_steps(levels[0], levels[-1], 7)
    ticks(axes, "x", marks, [words.exact(mark, unit) for mark in marks])
    places = [value for _, each in tried for value in (each.estimate, each.configured, *(each.interval or ()))]
    top = max(value for value in places if value is not None) * 1.06
    axes.set_ylim(-0.02 * top, top)
    steps = nice_steps(0.0, top, 5)
    ticks(axes, "y", steps, [words.exact(step, tried[0][1].unit) for step in steps])
