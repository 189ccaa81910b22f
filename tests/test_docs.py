"""What the documentation points at is there: files, headings, functions, make's targets; its drawings are current."""

from __future__ import annotations

import ast
import json
import re
import runpy
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from chaos.gateway.state.counters import Ledger, merge
from chaos.journal.records import KINDS
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.protocol.load_plan import Plan, Task

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:chaos|tests|docs|benchmarks|experiments)/[\w./-]*)(?:::(\w+))?`")
PLACEHOLDER = re.compile(r"/[A-Z]{2,}\b")  # `chaos/cli/NAME.py`: what is yet to be written
HISTORY = {"CHANGELOG.md"}  # speaks of what there was
DRAWINGS = runpy.run_path(str(ROOT / "docs/drawings.py"))["DRAWINGS"]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(page: Path) -> str:
    """A page without its code blocks."""
    return FENCED.sub("", page.read_text())


@cache
def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub and MkDocs make links to them."""
    headings = re.findall(r"^#+ +(.+?) *$", text_of(page), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}


@cache
def definitions(path: Path) -> set[str]:
    """The classes, functions and constants that a module defines at its top level."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=targets):
                found |= {each.id for each in targets if isinstance(each, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    """A link within the repository leads to a file, and to a heading when it names one."""
    for link in LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in HISTORY], ids=named)
def test_code_that_is_named_is_there(page: Path) -> None:
    """`chaos/verify/claim.py::Claim` is a file and what it defines."""
    for path, name in PATH.findall(text_of(page)):
        if PLACEHOLDER.search(path):
            continue
        assert (ROOT / path).exists(), path
        assert not name or name in definitions(ROOT / path), f"{path}::{name}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_make_has_the_targets_that_are_named(page: Path) -> None:
    """`make kills` is a rule of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", text_of(page))) <= targets


def test_docstrings_name_pages_that_are_there() -> None:
    """`docs/protocol.md` in a comment is a page."""
    for path in sorted([*(ROOT / "chaos").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]):
        for page in re.findall(r"\bdocs/[\w-]+\.md", path.read_text()):
            assert (ROOT / page).exists(), f"{path} names {page}"


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_are_current(name: str) -> None:
    """`python docs/drawings.py` has been run since the drawing was changed."""
    assert (ROOT / f"docs/drawings/{name}.svg").read_text() == DRAWINGS[name]()


# ------------------------------------------------------------------------------------------------ the protocol's page


def example(heading: str) -> dict[str, Any]:
    """The JSON below a heading of docs/protocol.md."""
    text = (ROOT / "docs/protocol.md").read_text().split(f" {heading}\n")[1]
    shown: dict[str, Any] = json.loads(text.split("```json\n")[1].split("```")[0])
    return shown


def test_the_example_of_a_gateway_plan_has_its_fields() -> None:
    """No more and no fewer, and it can be read."""
    shown = example("As a child")
    assert set(shown) == {field.name for field in fields(GatewayPlan)}
    assert GatewayPlan.of(json.dumps(shown)).seed == 1


def test_the_example_of_a_load_plan_has_its_fields() -> None:
    """No more and no fewer, a task's included; what it says of a default is the default."""
    shown = example("The plan of a load")
    assert set(shown) == {field.name for field in fields(Plan)}
    assert set(shown["tasks"][0]) == {field.name for field in fields(Task)}
    default = Plan("http://127.0.0.1", ())
    told = {"gateway", "tasks", "faults", "admin"}
    assert {name: shown[name] for name in set(shown) - told} == {
        name: getattr(default, name) for name in set(shown) - told
    }


def test_the_example_of_counters_has_their_fields() -> None:
    """Those of the whole, and those of one rule."""
    shown = example("Counters")
    assert set(shown) == set(merge([]))
    assert {frozenset(rule) for rule in shown["phases"][""].values()} == {frozenset(Ledger("", b"", False).as_json())}


def test_the_table_of_the_journal_has_every_kind_of_record() -> None:
    """A row for each type."""
    section = (ROOT / "docs/protocol.md").read_text().split("\n## Journal\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(KINDS)


def test_every_page_is_in_the_navigation() -> None:
    """A new page stands in mkdocs.yml, where readers of the site find it."""
    listed = re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(page.name.replace("README.md", "index.md") for page in PAGES)
