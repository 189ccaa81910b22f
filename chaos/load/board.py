"""The live page's last document, and the pages that wait for the next one. Knows no HTTP and does not import Locust.

Its lock is a thread's, which gevent turns into a greenlet's in the load's process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

MOST_PAGES = 100
FORGOTTEN = 3.0  # seconds after which a page that asks no more has been closed


class Board:
    """`report` is the path of the report's file, empty before there is one."""

    def __init__(self) -> None:
        self.report = ""
        self._text, self._number = "{}", 0
        self._changed = threading.Condition()
        self._pages: dict[str, float] = {}

    def show(self, state: Mapping[str, Any]) -> None:
        """Take the next document (chaos/protocol/live_state.py) and give it to every page that waits."""
        text, end = json.dumps(state, separators=(",", ":")), state.get("end")
        with self._changed:
            self._text, self._number = text, state["number"]
            self.report = end["report"] if end else ""
            self._changed.notify_all()

    def next(self, after: int, page: str, seconds: float) -> str:
        """Return the document once its number is not `after`, at the latest after `seconds`. `page` is the name under
        which a page asks again and again."""
        with self._changed:
            if page and (page in self._pages or len(self._pages) < MOST_PAGES):
                self._pages[page] = time.monotonic() + seconds
            self._changed.wait_for(lambda: self._number != after, seconds)
            if page in self._pages:
                self._pages[page] = time.monotonic()
            return self._text

    def leave(self, page: str) -> None:
        """Note that a page has all it needs."""
        with self._changed:
            self._pages.pop(page, None)
            self._changed.notify_all()

    def wait_for_pages(self, seconds: float) -> None:
        """Wait until every open page has what it needs, at the longest so many seconds."""
        with self._changed:
            recent = time.monotonic() - FORGOTTEN
            self._pages = {page: seen for page, seen in self._pages.items() if seen > recent}
            self._changed.wait_for(lambda: not self._pages, seconds)
