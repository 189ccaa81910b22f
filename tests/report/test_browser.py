"""The pages in a real browser: nothing is fetched, nothing complains, nothing sticks out, in both colour schemes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from support.axe import violations
from support.journals import write

from chaos.report.pages.compare import compare
from chaos.report.pages.index import render_index
from chaos.report.pages.render import render

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def pages(phased: Path) -> dict[str, Path]:
    again = write(phased.parent / "20261123-100000", name="phased", requests=2_000, seconds=5)
    render(again)
    return {
        "report": phased / "report.html",
        "index": render_index(phased.parent.parent),
        "compare": compare(phased, again).html,
    }


@pytest.fixture(params=["report", "index", "compare"])
def path(request: pytest.FixtureRequest, pages: dict[str, Path]) -> Path:
    return pages[request.param]


def opened(browser: Browser, path: Path, *, width: int = 1280, scheme: str = "light") -> tuple[Page, list[str]]:
    """The page, and every request beyond itself and every complaint of the browser."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    trouble: list[str] = []
    own = path.as_uri()
    page.on("request", lambda request: trouble.append(request.url) if request.url not in (own, "data:,") else None)
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(own)
    return page, trouble


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_fetched_and_nothing_complains(browser: Browser, path: Path, scheme: str) -> None:
    page, trouble = opened(browser, path, scheme=scheme)
    page.close()
    assert trouble == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_for_everybody(browser: Browser, path: Path, scheme: str) -> None:
    page, _ = opened(browser, path, scheme=scheme)
    found = violations(page)
    page.close()
    assert found == []


@pytest.mark.parametrize("width", [375, 768, 1280])
def test_nothing_sticks_out_sideways(browser: Browser, path: Path, width: int) -> None:
    """A phone scrolls down, not sideways; wide figures scroll within themselves."""
    page, _ = opened(browser, path, width=width)
    reached = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert reached <= width


@pytest.mark.parametrize("width", [400, 1000])
def test_what_scrolls_sideways_says_so_and_is_in_reach_of_keys(browser: Browser, path: Path, width: int) -> None:
    """And nothing else is wider than the window, or cut off."""
    page, _ = opened(browser, path, width=width)
    beyond, regions, cut = page.evaluate(SIDEWAYS)
    page.close()
    assert beyond == [] and cut == []
    assert all(region["keys"] and region["hint"] for region in regions)
    assert bool(regions) == (width == 400 and path.name == "report.html"), (
        "figures have a least width, tables have none"
    )


@pytest.mark.parametrize("width", [400, 1000])
def test_words_of_claims_are_whole(browser: Browser, pages: dict[str, Path], width: int) -> None:
    """A line ends between words; only a name longer than its column is broken."""
    page, _ = opened(browser, pages["report"], width=width)
    page.evaluate(
        "each => document.querySelector('.title').textContent = each", "failing unceremoniously by themselves"
    )
    broken = page.evaluate(BROKEN_WORDS)
    page.close()
    assert broken == []


def test_no_head_is_left_alone_at_the_end_of_a_page(browser: Browser, path: Path) -> None:
    """On paper, headings, captions and the words before a table stay with what they are about, rows are whole."""
    page, _ = opened(browser, path)
    page.emulate_media(media="print")
    loose = page.evaluate(
        "Array.from(document.querySelectorAll('h2, h3, caption, thead, tr.group, section > p:has(+ .scroll)'))"
        ".filter(each => getComputedStyle(each).breakAfter !== 'avoid').map(each => each.textContent)"
    )
    torn = page.evaluate(
        "Array.from(document.querySelectorAll('tr, figure, section > p'))"
        ".filter(each => getComputedStyle(each).breakInside !== 'avoid').length"
    )
    page.close()
    assert (loose, torn) == ([], 0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_on_its_ground(browser: Browser, path: Path, scheme: str) -> None:
    """WCAG 2.2 asks for a contrast of 4.5 for text, and 3 for large text; figures included."""
    page, _ = opened(browser, path, scheme=scheme)
    faint = page.evaluate(CONTRAST)
    page.close()
    assert faint == []


def test_one_drawing_follows_the_scheme(browser: Browser, pages: dict[str, Path]) -> None:
    """The same element has another colour in the dark."""
    colours = set()
    for scheme in ("light", "dark"):
        page, _ = opened(browser, pages["report"], scheme=scheme)
        colours.add(page.evaluate("getComputedStyle(document.querySelector('svg.figure text')).fill"))
        page.close()
    assert len(colours) == 2


@pytest.mark.representative
def test_printing_uses_light_colours(browser: Browser, pages: dict[str, Path]) -> None:
    """Whatever the reader's scheme is, paper is white."""
    page, _ = opened(browser, pages["report"], scheme="dark")
    page.emulate_media(media="print")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.close()
    assert ground == "rgb(255, 255, 255)"


def test_paper_is_wide_enough(browser: Browser, path: Path) -> None:
    """What would stick out of an A4 page (186 mm between its margins) would be lost."""
    page, _ = opened(browser, path, width=703)
    page.emulate_media(media="print")
    reached = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert reached <= 703


def test_identifiers_are_unique_and_links_lead_somewhere(browser: Browser, path: Path) -> None:
    page, _ = opened(browser, path)
    ids = page.evaluate("Array.from(document.querySelectorAll('[id]'), each => each.id)")
    targets = page.evaluate("Array.from(document.querySelectorAll('a[href^=\"#\"]'), each => each.hash.slice(1))")
    page.close()
    assert len(ids) == len(set(ids))
    assert set(targets) <= set(ids)


def test_every_drawing_has_a_name_and_every_table_a_caption(browser: Browser, path: Path) -> None:
    """For those who hear the page."""
    page, _ = opened(browser, path)
    unnamed = page.evaluate(
        "Array.from(document.querySelectorAll('svg')).filter(each => each.getAttribute('aria-hidden') !== 'true'"
        " && !(each.getAttribute('role') === 'img' && (each.getAttribute('aria-label')"
        " || each.getAttribute('aria-labelledby')))).length"
    )
    uncaptioned = page.evaluate("document.querySelectorAll('table:not(:has(caption))').length")
    page.close()
    assert (unnamed, uncaptioned) == (0, 0)


# What is wider than the window, the regions that scroll sideways, and captions that are not seen as a whole.
SIDEWAYS = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = each => each.scrollWidth > each.clientWidth
    && ['auto', 'scroll'].includes(getComputedStyle(each).overflowX);
  const all = Array.from(document.querySelectorAll('body *'))
    .filter(each => each.checkVisibility() && !each.closest('svg *'));
  const region = each => { let at = each.parentElement; while (at && !scrolls(at)) at = at.parentElement; return at; };
  const sticks = each => {
    const at = each.getBoundingClientRect();
    return at.width && (at.right > width + 0.5 || at.left < -0.5);
  };
  const hint = each => Array.from(each.parentElement.querySelectorAll('.sideways'))
    .some(hint => hint.checkVisibility());
  return [
    all.filter(each => sticks(each) && !region(each)).map(each => each.outerHTML.slice(0, 80)),
    all.filter(scrolls).map(each => ({ keys: each.tabIndex === 0, hint: hint(each) })),
    all.filter(each => each.matches('caption, figcaption') && (region(each) || each.scrollWidth > each.clientWidth + 1))
      .map(each => each.textContent),
  ];
}"""

# Words of the claims' titles that stand on more than one line.
BROKEN_WORDS = """() => {
  const found = [];
  for (const title of document.querySelectorAll('.title')) {
    const text = title.firstChild;
    for (const word of text.data.matchAll(/\\S+/g)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      if (new Set(Array.from(range.getClientRects(), rect => Math.round(rect.top))).size > 1) found.push(word[0]);
    }
  }
  return found;
}"""

# Text whose contrast with the nearest opaque ground behind it is too low.
CONTRAST = """() => {
  const parse = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const linear = value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const channel = value => linear(value / 255);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const parts = parse(colour);
      if (colour.startsWith('rgb') && parts.length && (parts.length < 4 || parts[3] === 1)) return parts;
    }
    return [255, 255, 255];
  };
  const found = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('title, desc, style, caption.hidden')) continue;
    const style = getComputedStyle(element);
    const inDrawing = element.closest('svg');
    const ink = parse(inDrawing ? style.fill : style.color);
    const [a, b] = [light(ink), light(ground(element))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) found.add(walker.currentNode.data.trim().slice(0, 40));
  }
  return Array.from(found).slice(0, 10);
}"""
