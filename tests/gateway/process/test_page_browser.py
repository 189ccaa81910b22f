"""The page of the admin API in a real browser: it shows and sets what the API says, and nobody else's page does."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from support.axe import violations
from support.serving import Running, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with serving(tmp_path) as made:
        yield made


def opened(browser: Browser, running: Running, **settings: Any) -> tuple[Page, list[str]]:
    """The page, and every request beyond its own API and every complaint of the browser."""
    page = browser.new_page(**settings)
    trouble: list[str] = []
    own = f"http://{running.admin}"
    page.on("request", lambda asked: trouble.append(asked.url) if not asked.url.startswith((own, "data:")) else None)
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(own)
    expect(page.get_by_role("switch", name="Faults")).to_be_visible()
    return page, trouble


def faults(running: Running) -> Any:
    with urllib.request.urlopen(f"http://{running.admin}/faults", timeout=10) as answer:
        return json.load(answer)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_fetched_nothing_complains_and_nothing_sticks_out(
    browser: Browser, running: Running, tmp_path: Path, scheme: str, width: int
) -> None:
    assert running.get() == 503
    page, trouble = opened(browser, running, viewport={"width": width, "height": 800}, color_scheme=scheme)
    rule = page.get_by_role("article", name="Rule web[0]")
    expect(rule).to_contain_text("web.default.svc.cluster.local")
    expect(rule).to_contain_text("status 503")
    page.screenshot(path=tmp_path / f"{scheme}-{width}.png", full_page=True)
    reached, found = page.evaluate("document.documentElement.scrollWidth"), violations(page)
    page.close()
    assert (trouble, found) == ([], []) and reached <= width


@pytest.mark.representative
def test_all_of_it_works_by_keyboard(browser: Browser, running: Running) -> None:
    page, trouble = opened(browser, running)
    page.keyboard.press("Tab")
    expect(page.get_by_role("switch", name="Faults")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("switch", name="Faults", checked=False)).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Set by hand: faults off")
    assert faults(running)["enabled"] is False
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_have_text("Nothing is set by hand.")
    for _ in range(3):  # past delay and fixed delay
        page.keyboard.press("Tab")
    expect(page.get_by_label("abort, %")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("100")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Set by hand: web[0].abort=100")
    assert running.get() == 418
    expect(page.get_by_role("article")).to_contain_text("1 (100.0 %)")
    page.get_by_role("button", name="Undo all of it").press("Enter")
    expect(page.get_by_label("abort, %")).to_have_value("0")
    assert faults(running)["by_hand"] == [] and trouble == []
    page.close()


def test_what_is_refused_is_said_beside_it_and_what_is_being_written_stays(browser: Browser, running: Running) -> None:
    page, _ = opened(browser, running)
    page.get_by_label("abort, %").fill("101")
    page.get_by_label("fixed delay").fill("250ms")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_role("article").get_by_role("alert")).to_have_text("abort must be a percentage from 0 to 100")
    page.get_by_label("abort, %").fill("0")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("Set by hand: web[0].fixedDelay=250ms")
    page.get_by_role("button", name="Back to the rules").click()
    expect(page.get_by_label("fixed delay")).to_have_value("5s")
    running.process.terminate()
    expect(page.get_by_role("alert")).to_contain_text("The gateway does not answer")
    expect(page.get_by_role("switch")).to_be_disabled()
    page.close()


def test_a_token_is_asked_for(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, "--admin-token", "secret") as running:
        page = browser.new_page()
        page.goto(f"http://{running.admin}")
        for token in ("wrong", "secret"):
            page.get_by_label("Admin token").fill(token)
            page.keyboard.press("Enter")
            if token == "wrong":
                expect(page.get_by_role("alert")).to_have_text("The gateway does not take this token.")
        expect(page.get_by_role("switch", name="Faults")).to_be_visible()
        page.close()


def test_no_other_page_sets_anything_or_frames_it(browser: Browser, running: Running, tmp_path: Path) -> None:
    own = f"http://{running.admin}"
    script = f"""
      Promise.allSettled([
        fetch("{own}/faults", {{method: "DELETE", mode: "no-cors"}}),
        fetch("{own}/faults", {{method: "PUT", body: '{{"enabled": false}}'}}),
        fetch("{own}/faults", {{method: "POST", mode: "no-cors", body: '{{"enabled": false}}'}}),
      ]).then(() => document.title = "done")"""
    (tmp_path / "other.html").write_text(f'<iframe src="{own}"></iframe><script>{script}</script>')
    page = browser.new_page()
    page.goto((tmp_path / "other.html").as_uri())
    expect(page).to_have_title("done")
    expect(page.frame_locator("iframe").get_by_role("switch")).to_have_count(0)
    page.close()
    assert faults(running)["enabled"] is True
