"""Values and a closer look in a real browser: by pointer, by keys, and not at all without the script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LATENCY = 'figure:has([aria-labelledby^="latency-t"])'


@pytest.fixture
def page(browser: Browser, phased: Path) -> Iterator[Page]:
    """A report in a window of a common size."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.goto((phased / "report.html").as_uri())
    yield opened
    opened.close()


def middle(drawing: Locator, across: float, down: float) -> tuple[float, float]:
    """A place in the drawing, as parts of its width and height."""
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    assert box is not None
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def ticks(figure: Locator) -> list[str]:
    """The texts of the drawing that can be seen."""
    found: list[str] = figure.locator("svg.figure text").evaluate_all(
        "all => all.filter(each => each.checkVisibility()).map(each => each.textContent)"
    )
    return found


@pytest.mark.representative
def test_pointing_at_a_drawing_tells_its_values(page: Page) -> None:
    """Which panel, which latencies, and the share of each kind of request."""
    figure = page.locator(LATENCY)
    page.mouse.move(*middle(figure.locator(".drawing"), 0.3, 0.2))
    told = figure.locator(".values").inner_text()
    assert "baseline" in told and re.search(r"s \.\. .*s\nforwarded\n.*%", told)
    page.mouse.move(5, 5)
    assert not figure.locator(".values").is_visible()


def test_a_tap_tells_values_that_stay(browser: Browser, phased: Path) -> None:
    """A finger does not hover."""
    context = browser.new_context(has_touch=True, viewport={"width": 400, "height": 800})
    phone = context.new_page()
    phone.goto((phased / "report.html").as_uri())
    figure = phone.locator(LATENCY)
    figure.locator(".drawing").tap(position={"x": 90, "y": 60})
    told = figure.locator(".values").is_visible() and figure.locator(".values").inner_text()
    context.close()
    assert told and "baseline" in told


def test_the_arrow_keys_tell_the_same_aloud(page: Page) -> None:
    """Whoever cannot point, or see, moves a cursor from value to value and from panel to panel."""
    page.locator(LATENCY).locator(".drawing").focus()
    said = []
    for key in ("End", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
        said.append(page.locator(".spoken").inner_text())
    assert len(set(said)) == 3 and all("forwarded" in each and "%" in each for each in said)


def test_dragging_shows_a_part_and_twice_the_whole(page: Page) -> None:
    """The axis is labelled anew; a double click ends it."""
    figure = page.locator(LATENCY)
    drawing, before = figure.locator(".drawing"), ticks(figure)
    page.mouse.move(*middle(drawing, 0.15, 0.2))
    page.mouse.down()
    page.mouse.move(*middle(drawing, 0.25, 0.2))
    page.mouse.up()
    near = ticks(figure)
    page.mouse.dblclick(*middle(drawing, 0.2, 0.2))
    assert near != before and ticks(figure) == before


def test_buttons_and_keys_zoom_too(page: Page) -> None:
    """And say when there is nothing to go back to."""
    figure = page.locator('figure:has([aria-labelledby^="timeline-t"])')
    before, back = ticks(figure), figure.get_by_role("button", name="Show the whole figure")
    assert back.is_disabled()
    figure.get_by_role("button", name="Zoom in").click()
    once = ticks(figure)
    back.click()
    assert once != before and ticks(figure) == before and back.is_disabled()
    figure.locator(".drawing").focus()
    page.keyboard.press("+")
    assert ticks(figure) == once
    page.keyboard.press("0")
    assert ticks(figure) == before


def test_what_is_stretched_stays_in_its_axes(page: Page) -> None:
    """Marks that have left the axes are not painted over their neighbours."""
    figure = page.locator(LATENCY)
    figure.get_by_role("button", name="Zoom in").click()
    loose = "all => all.filter(each => !each.closest('[clip-path]')).length"
    assert figure.locator("svg.figure [transform^=matrix]").evaluate_all(loose) == 0


def test_a_page_is_complete_without_the_script(browser: Browser, phased: Path) -> None:
    """The same drawings, tables and words; only the buttons are not there, because they would do nothing."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    plain = context.new_page()
    plain.goto((phased / "report.html").as_uri())
    counts = [plain.locator(each).count() for each in (".tools, .values", "svg.figure", "table")]
    context.close()
    assert counts[0] == 0 and counts[1] >= 4 and counts[2] >= 4
