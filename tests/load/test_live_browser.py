"""The Faults tab of Locust's web UI in a real browser: it shows the run, and what remains when the run is over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support.axe import violations
from support.live import faults, states
from support.load import Load, plan
from support.origin import Asked, Origin, ok

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Origin]:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.002)
        writer.write(ok(asked, body=json.dumps(faults()).encode()))

    with Origin(answer) as made:
        yield made


@pytest.fixture
def load(gateway: Origin) -> Iterator[Load]:
    with Load(plan(gateway.url, ui="127.0.0.1:0", admin=gateway.url, interval=0.1)) as made:
        yield made


def opened(browser: Browser, load: Load) -> Page:
    """The page on its Faults tab, in the middle of a run."""
    url = load.until_type("ready")["ui"]
    load.until(lambda line: line["type"] == "digest" and bool(line["entries"]))
    load.send({"command": "live", "state": states()[0]})
    page = browser.new_page(color_scheme="light")
    page.goto(url)
    page.get_by_role("tab", name="Faults").click()
    expect(page.get_by_role("heading", name="twophases")).to_be_visible()
    return page


def test_locusts_page_with_our_tab_is_for_everybody(browser: Browser, load: Load) -> None:
    """All of the page, Locust's own parts, too, in both of its themes; and it fits a phone, however often the tabs
    change."""
    page = opened(browser, load)
    expect(page.get_by_role("img", name="Requests per second")).to_be_visible()
    found = violations(page)
    page.get_by_role("button", name="Switch between light and dark").click()
    page.wait_for_function("document.getElementById('chaos-live').dataset.theme === 'dark'")
    page.wait_for_function("document.getAnimations().length === 0")  # Locust fades from one to the other
    found += violations(page)
    assert found == []
    page.set_viewport_size({"width": 400, "height": 800})
    for name in ("Logs", "Faults"):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("heading", name="twophases")).to_have_count(int(name == "Faults"))
    assert page.evaluate("document.getElementById('chaos-live').scrollWidth") <= 400
    page.close()


def test_when_the_run_is_over_the_page_says_so_and_keeps_everything(
    browser: Browser, load: Load, tmp_path: Path
) -> None:
    """Its process has ended by then: nothing stays on RUNNING, and what can do nothing any more is off."""
    page = opened(browser, load)
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    report = tmp_path / "report.html"
    report.write_text("<title>the report</title><h1>Verified</h1>")
    load.send({"command": "stop"})
    load.until_type("done")
    last = states()[1]
    assert last["end"] is not None
    load.send({"command": "live", "state": {**last, "end": {**last["end"], "report": str(report)}}})
    load.send({"command": "leave"})
    assert load.code == 0, "it has ended, because the page has what it needs"
    expect(page.get_by_text("The run is over: verified", exact=True)).to_be_visible()
    expect(page.get_by_text("stopped", exact=True)).to_be_visible()
    for name in ("New", "Reset", "Switch faults off", "Switch off the faults of webserver[0]"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()
    assert violations(page) == []
    with page.context.expect_page() as shown:
        page.get_by_role("link", name="Open the report").click()
    expect(shown.value.get_by_role("heading", name="Verified")).to_be_visible()
    page.get_by_role("tab", name="Charts").click()
    expect(page.get_by_text("The run is over: verified. The Faults tab has the claims.")).to_be_visible()
    page.get_by_role("tab", name="Faults").click()
    expect(page.get_by_role("img", name="The interval of abort 400")).to_be_visible()
    assert trouble == []
    page.close()
