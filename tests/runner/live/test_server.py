"""The live page's own server: for its page alone, on loopback, and gone with the run."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from chaos.errors import EnvironmentFailed
from chaos.runner.live.server import LiveServer


@pytest.fixture
def server() -> Iterator[LiveServer]:
    made = LiveServer("127.0.0.1:0")
    yield made
    made.close()


def ask(url: str, body: object = None, **headers: str) -> tuple[int, str]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, data, {"content-type": "application/json"} | headers), timeout=10) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("path", ["/", "/chaos/live.js", "/chaos/live_charts.js", "/chaos/live.css"])
def test_it_serves_the_page_and_its_parts(server: LiveServer, path: str) -> None:
    with urlopen(server.url + path, timeout=10) as response:
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.read()


def test_a_page_gets_the_next_document_as_soon_as_there_is_one(server: LiveServer) -> None:
    server.board.show({"number": 1, "end": None})
    assert json.loads(ask(f"{server.url}/chaos/live?after=0")[1])["number"] == 1
    got: list[str] = []
    waiting = threading.Thread(target=lambda: got.append(ask(f"{server.url}/chaos/live?after=1")[1]))
    waiting.start()
    server.board.show({"number": 2, "end": None})
    waiting.join(10)
    assert [json.loads(text)["number"] for text in got] == [2]


def test_the_end_waits_for_open_pages_but_not_for_closed_ones(server: LiveServer) -> None:
    server.board.show({"number": 1, "end": None})
    began = time.monotonic()
    server.board.wait_for_pages(60.0)
    assert time.monotonic() - began < 5, "nobody looks"
    ask(f"{server.url}/chaos/live?after=0&page=mine")
    ending = threading.Thread(target=server.board.wait_for_pages, args=(60.0,))
    ending.start()
    assert ending.is_alive()
    assert ask(f"{server.url}/chaos/seen?page=mine", {})[0] == 200
    ending.join(10)
    assert not ending.is_alive()


def test_the_report_is_there_once_it_is_made(server: LiveServer, tmp_path: Path) -> None:
    assert ask(f"{server.url}/chaos/report")[0] == 404
    report = tmp_path / "report.html"
    report.write_text("<title>it</title>")
    server.board.show({"number": 1, "end": {"report": str(report)}})
    assert ask(f"{server.url}/chaos/report") == (200, "<title>it</title>")


@pytest.mark.parametrize("path", ["/chaos/live", "/chaos/faults", "/chaos/report", "/chaos/seen"])
def test_no_other_page_is_answered(server: LiveServer, path: str) -> None:
    port = server.url.rpartition(":")[2]
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"host": f"evil.example:{port}"},
        {"sec-fetch-site": "cross-site"},
        {"referer": "http://evil.example/"},
    ):
        for body in (None, {}):
            assert ask(server.url + path, body, **headers)[0] == 403, headers


def test_what_is_malformed_is_refused_and_does_not_end_it(server: LiveServer) -> None:
    for body in ([], {"enabled": "off"}, {"rule": 1}, {"rule": "a", "levels": 3}, {"else": 1}):
        assert ask(f"{server.url}/chaos/faults", body)[0] == 400
    assert ask(f"{server.url}/chaos/faults", {"enabled": False})[0] == 502, "there is no gateway"
    for path in ("/chaos/none", "/none", "/chaos/../page.html"):
        assert ask(server.url + path)[0] == 404
    assert ask(f"{server.url}/chaos/faults", "x" * 100_000)[0] in (400, 403)
    server.board.show({"number": 1, "end": None})
    assert ask(f"{server.url}/chaos/live?after=x")[0] == 200


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EnvironmentFailed, match="already in use"):
            LiveServer(f"127.0.0.1:{taken.getsockname()[1]}")
