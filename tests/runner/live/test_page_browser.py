"""The live page in a real browser: it shows the document, switches faults, and keeps all when its run has gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from support.axe import violations
from support.journals import RULE
from support.live import SCENARIO, faults, states
from support.origin import Asked, Origin, ok

from chaos.load.gateway_admin import GatewayAdmin
from chaos.runner.live.server import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Gateway(Origin):
    """The gateway's admin API, as far as the page uses it."""

    def __init__(self) -> None:
        super().__init__(self.reply)
        self.now: dict[str, Any] = {"enabled": True, "abort": 50.0, "delay": 20.0}

    async def reply(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.method == "PUT":
            self.now |= {name: value for name, value in json.loads(asked.body).items() if name in self.now}
        if asked.method == "DELETE":
            self.now |= {"abort": 50.0, "delay": 20.0}
        writer.write(ok(asked, body=json.dumps(faults(**self.now)).encode()))


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as made:
        yield made


@pytest.fixture
def server(gateway: Gateway) -> Iterator[LiveServer]:
    made = LiveServer("127.0.0.1:0")
    made.pages.gateway = GatewayAdmin(gateway.url)
    made.board.show(states()[0])
    yield made
    made.close()


def opened(browser: Browser, server: LiveServer) -> tuple[Page, list[str]]:
    """The page in the middle of a run, and every request beyond it and every complaint of the browser."""
    page = browser.new_page(color_scheme="light")
    trouble: list[str] = []
    ours = (server.url, "data:")
    page.on("request", lambda asked: trouble.append(asked.url) if not asked.url.startswith(ours) else None)
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(server.url)
    expect(page.get_by_role("heading", name=SCENARIO.name)).to_be_visible()
    expect(page.get_by_role("button", name="Switch off the faults of webserver[0]")).to_be_visible()
    return page, trouble


def test_it_is_for_everybody_and_nothing_sticks_out(browser: Browser, server: LiveServer) -> None:
    """In light and dark, on a phone, while the run goes on and when it is over."""
    page, trouble = opened(browser, server)
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    found += violations(page)
    page.set_viewport_size({"width": 400, "height": 800})
    server.board.show(states(reasons=("all is well",))[1])
    expect(page.get_by_text("The run is over: verified")).to_be_visible()
    found += violations(page)
    reached = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert (found, trouble) == ([], [])
    assert reached <= 400


@pytest.mark.representative
def test_it_says_what_the_document_says(browser: Browser, server: LiveServer) -> None:
    page, _ = opened(browser, server)
    state = states()[0]
    shown = page.locator("#chaos-live").inner_text()
    for claim in state["claims"]:
        for words in (claim["title"], claim["configured"], claim["observed"], claim["interval"], claim["sentence"]):
            assert words in shown
        assert page.get_by_role("img", name=f"The interval of {claim['title']} over time").count() == 1
    for task in state["tasks"]:
        assert page.get_by_role("row", name=task["name"]).count() == 1
    assert "warning: by hand: <b>webserver[0].abort=0</b>" in shown, "as text"
    page.close()


def test_faults_are_switched_by_keyboard(browser: Browser, server: LiveServer, gateway: Gateway) -> None:
    """All of them, those of one rule, and back; the focus stays where it is."""
    page, trouble = opened(browser, server)
    button = page.get_by_role("button", name="Switch faults off")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Switch faults on")).to_be_focused()
    page.keyboard.press("Space")
    expect(button).to_be_focused()
    page.get_by_role("button", name="Switch off the faults of webserver[0]").press("Enter")
    expect(page.get_by_role("button", name="Switch on the faults of webserver[0]")).to_be_focused()
    expect(page.get_by_text("By hand: webserver[0].abort=0")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Switch off the faults of webserver[0]")).to_be_focused()
    page.close()
    changes = [(asked.method, asked.target, asked.body) for asked in gateway.asked if asked.method != "GET"]
    assert changes == [
        ("PUT", "/faults", b'{"enabled": false}'),
        ("PUT", "/faults", b'{"enabled": true}'),
        ("PUT", f"/faults/{RULE}", b'{"abort": 0, "delay": 0}'),
        ("DELETE", f"/faults/{RULE}", b""),
    ]
    assert trouble == []


def test_a_run_that_has_gone_leaves_its_page_as_it_was(browser: Browser, server: LiveServer) -> None:
    """It was killed: there was no last document."""
    page, _ = opened(browser, server)
    server.board.show({**states()[0], "number": 2})
    page.route("**/chaos/**", lambda route: route.abort())
    expect(page.get_by_text("The run does not answer any more.")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Switch faults off")).to_be_disabled()
    assert page.get_by_role("img", name="Requests per second").count() == 1
    page.unroute("**/chaos/**")
    server.board.show({**states()[1], "number": 3})
    expect(page.get_by_text("The run is over: verified")).to_be_visible(timeout=10_000)
    page.close()
