"""What a web UI lets pass when a browser says little about who asks."""

from __future__ import annotations

import pytest

from chaos.load.ui_guard import may_pass

GETS = [
    ("/stop", {}, False),  # a command in older versions of Locust
    ("/stats/reset", {"sec-fetch-site": "none"}, False),
    ("/stop", {"sec-fetch-site": "same-origin"}, True),
    ("/stats/requests", {}, True),
    ("/stats/requests", {"sec-fetch-site": "none"}, True),
    ("/stats/requests", {"sec-fetch-site": "cross-site"}, False),
    ("/", {"sec-fetch-site": "cross-site"}, True),
    ("/", {"host": "evil.example"}, False),
]


@pytest.mark.parametrize(("path", "headers", "passes"), GETS)
def test_what_may_be_asked_with_get(path: str, headers: dict[str, str], passes: bool) -> None:
    assert may_pass("GET", path, headers.get("host", "LOCALHOST:8089"), headers, {"localhost:8089"}) is passes
