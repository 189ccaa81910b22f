"""What tests of several folders share."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_configure() -> None:
    """Take signals as a terminal leaves them. What is started by nohup or by a script's `&` ignores some, and so would
    every process that a test starts; a test that waits for its own signal would wait forever."""
    for number, meaning in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, meaning)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser. Of a module, because playwright keeps an event loop running, which tests on another must not
    find."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()
