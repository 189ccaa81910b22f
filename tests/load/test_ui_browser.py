"""Locust's web UI in a real browser: its own buttons work, and no page from elsewhere can press them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from support.load import Load, plan
from support.origin import Asked, Origin, ok

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


async def fine(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(ok(asked))


@pytest.fixture
def load() -> Iterator[Load]:
    with Origin(fine) as gateway, Load(plan(gateway.url, ui="127.0.0.1:0", interval=0.1)) as made:
        yield made


FORM = (
    '<form method="post" action="{url}/{path}"><input name="user_count" value="50">'
    '<input name="spawn_rate" value="50"></form><script>document.forms[0].submit()</script>'
)


@pytest.mark.parametrize("path", ["swarm", "stop"])
def test_a_foreign_page_changes_nothing(browser: Browser, load: Load, tmp_path: Path, path: str) -> None:
    """A form in a sandboxed frame (Origin: null), and one of a page from a file."""
    url = load.until_type("ready")["ui"]
    load.until(lambda line: line["type"] == "digest" and line["users"] == 4)
    form = FORM.format(url=url, path=path)
    (tmp_path / "form.html").write_text(form)
    framed = form.replace("&", "&amp;").replace('"', "&quot;")
    (tmp_path / "frame.html").write_text(f'<iframe sandbox="allow-forms allow-scripts" srcdoc="{framed}"></iframe>')
    for name in ("form.html", "frame.html"):
        page = browser.new_page()
        with page.expect_response(lambda response: response.url == f"{url}/{path}") as answered:
            page.goto((tmp_path / name).as_uri(), wait_until="commit")
        assert answered.value.status == 403
        page.close()
    line = load.until(lambda line: line["type"] == "digest" and bool(line["entries"]))
    assert line["users"] == 4


def test_its_own_page_stops_the_load(browser: Browser, load: Load) -> None:
    url = load.until_type("ready")["ui"]
    load.until(lambda line: line["type"] == "digest" and bool(line["entries"]))
    page = browser.new_page()
    page.goto(url)
    page.get_by_role("button", name="Stop").click()
    done = load.finish()
    assert (done["type"], done["reason"]) == ("done", "ui")
    page.close()
