"""Whatever a run is named or answered, a report shows it as text: no markup, no script, no broken file."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from junitparser import JUnitXml
from support.journals import Scenario, write

from chaos.report.pages.compare import compare
from chaos.report.pages.index import render_index
from chaos.report.pages.render import render
from chaos.report.pages.script import script

HOSTILE = "<script>alert(1)</script>\"'&amp;{{ 7*7 }}{% raw %}]]>--><img src=x onerror=alert(2)>`|*_[x](javascript:y)"
CONTROL = "bell\x07 null\x00 escape\x1b[31m"


class Tags(HTMLParser):
    """Every element and attribute of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.scripts: list[tuple[str, str]] = []
        self.policy = ""
        self._kind: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name in ("href", "src", "xlink:href")}
        told = dict(attrs)
        self._kind = (told.get("type") or "") if tag == "script" else None
        if told.get("http-equiv") == "Content-Security-Policy":
            self.policy = told["content"] or ""

    def handle_data(self, data: str) -> None:
        if self._kind is not None and self.lasttag == "script":
            self.scripts.append((self._kind, data))

    def handle_endtag(self, tag: str) -> None:
        self._kind = None


@pytest.fixture(scope="module", params=[HOSTILE, CONTROL], ids=["markup", "control characters"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = request.param
    scenario = Scenario(
        name=text,
        rule_name=text,
        description=text,
        tasks=(text,),
        destinations=(text,),
        document=f"{text}\nkey: {text} # {text}\n",
        notes=({"severity": "warning", "where": f"{text}:1:1", "path": text, "message": text},),
        ended=False,
    )
    made = write(tmp_path_factory.mktemp("reports") / "hostile" / "1", scenario)
    render(made)
    return made


def test_a_page_has_no_script_but_ours_and_no_handler(folder: Path) -> None:
    """Not one element or attribute comes from the run's own words; where a script holds them, they are JSON."""
    tags = parsed(folder / "report.html")
    assert not tags.names & {"img", "iframe", "object", "embed", "form"}
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert_only_our_script(tags)


def assert_only_our_script(tags: Tags) -> None:
    run, data = (
        [text for kind, text in tags.scripts if (kind == "application/json") is json] for json in (False, True)
    )
    assert run == [str(script())]
    assert all("panels" in json.loads(each) for each in data)
    digest = b64encode(sha256(run[0].encode()).digest()).decode()
    assert (
        f"script-src 'sha256-{digest}'" in tags.policy and "'unsafe-inline'" not in tags.policy.split("script-src")[1]
    )


def test_links_stay_in_the_page_or_beside_it(folder: Path) -> None:
    """No address of anywhere else, and no javascript: one."""
    beside = {"result.json", "junit.xml", "report.md", "../../index.html", "data:,"}
    assert {link for link in parsed(folder / "report.html").links if not link.startswith("#")} <= beside


def test_the_words_themselves_are_shown(folder: Path) -> None:
    """Escaped, not dropped."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page or "bell" in page
    assert "49}" not in page and ">49<" not in page


def test_the_other_forms_can_be_read(folder: Path) -> None:
    """JSON is JSON, JUnit is XML, and Markdown has no live markup."""
    json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert next(iter(JUnitXml.fromfile(str(folder / "junit.xml")))).tests == 2
    assert "<script>" not in (folder / "report.md").read_text(encoding="utf-8")


def test_index_and_comparison_are_as_careful(folder: Path) -> None:
    """They show the same names."""
    index = render_index(folder.parent.parent)
    other = shutil.copytree(folder, folder.with_name("other"))
    comparison = compare(folder, other, folder)
    for path in (index, comparison.html):
        tags = parsed(path)
        assert "img" not in tags.names and not [name for name in tags.attributes if name.startswith("on")]
    assert "script" not in parsed(index).names
    assert_only_our_script(parsed(comparison.html))


def parsed(path: Path) -> Tags:
    tags = Tags()
    tags.feed(path.read_text(encoding="utf-8"))
    return tags
