"""The forms of a report, pinned: a change of a sentence or a column is seen before it is shipped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.goldens import assert_golden
from support.journals import Scenario, write

from chaos.report.pages.render import ReportPaths, render

GOLDENS = Path(__file__).parent / "goldens"

CASES = {
    "verified": Scenario(requests=40_000, seconds=8),
    "falsified": Scenario(requests=40_000, seconds=8, real_abort=0.4),
    "inconclusive": Scenario(requests=600, seconds=6),
    "unfinished": Scenario(requests=8_000, seconds=4, ended=False),
}


@pytest.fixture(params=CASES, scope="module")
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ReportPaths]:
    folder = tmp_path_factory.mktemp("reports") / "abort50" / "20261122-214605"
    return request.param, render(write(folder, CASES[request.param]))


def test_markdown(rendered: tuple[str, ReportPaths]) -> None:
    name, paths = rendered
    assert_golden(GOLDENS / f"{name}.md", paths.markdown.read_text(encoding="utf-8"))


def test_junit(rendered: tuple[str, ReportPaths]) -> None:
    name, paths = rendered
    assert_golden(GOLDENS / f"{name}.junit.xml", paths.junit.read_text(encoding="utf-8"))


@pytest.mark.parametrize("fragment", ["verdict", "expectations", "statuses", "load", "ledgers", "requests"])
def test_html(rendered: tuple[str, ReportPaths], fragment: str) -> None:
    """The words of each part of the page; the drawings are looked at, not compared."""
    name, paths = rendered
    assert_golden(GOLDENS / f"{name}.{fragment}.txt", words_of(paths.html.read_text(encoding="utf-8"), fragment))


def words_of(page: str, fragment: str) -> str:
    """What a reader reads between the element with this id and the next section, a line for each piece of text."""
    start = page.index(f'id="{fragment}"')
    end = page.find("<section", start + 1)
    part = re.sub(r"<(svg|script).*?</\1>", "", page[start : end if end > 0 else None], flags=re.DOTALL)
    lines = (line.strip() for line in re.sub(r"<[^>]*>", "\n", part.partition(">")[2]).splitlines())
    return "\n".join(line for line in lines if line) + "\n"
