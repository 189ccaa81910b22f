"""`--ui`: Locust's own web UI, with the faults beside it; the same digests as without."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from support.load import Load, plan, run
from support.origin import Asked, Origin, ok

pytestmark = pytest.mark.slow

NAMES = {"rules": [{"key": "virtualservice/default/web/0", "name": "web[0]"}]}
COUNTERS = {"phases": {"": {"virtualservice/default/web/0": {"requests": 200, "faults": {"abort": 90}}}}}


class Gateway(Origin):
    """The gateway, as far as the UI knows it: it answers requests, and its admin API remembers the switch."""

    enabled = True

    def __init__(self) -> None:
        super().__init__(self.reply)

    async def reply(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        match asked.method, asked.target:
            case "GET", "/rules":
                writer.write(ok(asked, body=json.dumps(NAMES).encode()))
            case "GET", "/counters":
                writer.write(ok(asked, body=json.dumps(COUNTERS).encode()))
            case "GET", "/faults":
                writer.write(ok(asked, body=json.dumps({"enabled": self.enabled}).encode()))
            case "PUT", "/faults":
                self.enabled = json.loads(asked.body)["enabled"]
                writer.write(ok(asked, body=b"{}"))
            case _:
                await asyncio.sleep(0.002)
                fault = int(asked.headers["x-request-id"][:8], 16) % 2
                headers = "x-chaos-route: web[0]\r\n" + "x-chaos-fault: abort\r\n" * fault
                writer.write(ok(asked, status="503 x" if fault else "200 OK", headers=headers))


def ask(url: str, body: object = None, **headers: str) -> tuple[int, str]:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"content-type": "application/json"} | headers)
    try:
        with urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as made:
        yield made


@pytest.fixture
def load(gateway: Gateway) -> Iterator[Load]:
    faults = [{"name": "web[0]", "kind": "abort", "configured": 0.5}]
    with Load(plan(gateway.url, ui="127.0.0.1:0", admin=gateway.url, faults=faults, interval=0.1)) as made:
        yield made


def address(load: Load) -> str:
    text = load.until_type("ready")["ui"]
    assert isinstance(text, str)
    return text


@pytest.mark.representative
def test_locusts_own_pages_show_the_running_load(load: Load, gateway: Gateway) -> None:
    url = address(load)
    load.until(lambda line: line["type"] == "digest" and bool(line["entries"]))
    status, page = ask(f"{url}/")
    assert status == 200
    assert "window.templateArgs" in page and '"title": "Faults"' in page
    assert "./chaos/faults.js" in page
    assert ask(f"{url}/chaos/faults.js")[0] == 200
    stats = json.loads(ask(f"{url}/stats/requests")[1])
    assert stats["state"] == "running"
    assert stats["user_count"] == 4
    home = stats["stats"][0]
    assert (home["name"], home["method"]) == ("home", "GET")
    assert home["avg_content_length"] == len(b"fine")
    assert 0 < home["num_failures"] < home["num_requests"]


def test_the_faults_tab_has_the_three_ledgers(load: Load, gateway: Gateway) -> None:
    url = address(load)
    load.until(lambda line: line["type"] == "digest" and sum(e["count"] for e in line["entries"]) > 20)
    (table,) = json.loads(ask(f"{url}/stats/requests")[1])["extended_stats"]
    (row,) = table["data"]
    assert table["key"] == "faults"
    assert (row["name"], row["configured"], row["drawn"]) == ("web[0] · abort", "50 %", "45.0 % of 200")
    assert row["observed"].endswith(tuple("0123456789")) and " % of " in row["observed"]
    assert json.loads(ask(f"{url}/chaos/faults")[1])["rules"][0]["name"] == "web[0] · abort"


def test_faults_are_switched_at_the_gateway_and_the_journal_is_told(load: Load, gateway: Gateway) -> None:
    url = address(load)
    for enabled in (False, True):
        status, text = ask(f"{url}/chaos/faults", {"enabled": enabled})
        state = json.loads(text)
        assert (status, state["enabled"], state["switchable"], gateway.enabled) == (200, enabled, True, enabled)
        assert load.until_type("event")["text"].startswith(
            f"faults switched {'on' if enabled else 'off'} in the web UI"
        )
    assert ask(f"{url}/chaos/faults", {"enabled": "off"})[0] == 400


@pytest.mark.parametrize("path", ["/chaos/faults", "/swarm", "/stop", "/stats/reset"])
def test_other_sites_pages_cannot_command_it(load: Load, gateway: Gateway, path: str) -> None:
    """Neither with their own origin, nor with one they hide, nor with a name of theirs that leads here."""
    url = address(load)
    port = url.rpartition(":")[2]
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},  # a sandboxed frame, a page from a file
        {"origin": "file://"},
        {"origin": ""},
        {"origin": f"https://127.0.0.1:{port}"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": f"http://localhost:{port}"},  # what listens there on ::1 may be another program
        {"host": "evil.example"},
        {"host": f"evil.example:{port}", "origin": f"http://evil.example:{port}", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"referer": "http://evil.example/"},
        {"referer": f"{url}.evil.example/"},
    ):
        assert ask(url + path, {"enabled": False}, **headers)[0] == 403, headers
    assert gateway.enabled
    for headers in ({"origin": url}, {"sec-fetch-site": "same-origin"}, {"referer": f"{url}/"}, {}):
        assert ask(f"{url}/chaos/faults", {"enabled": False}, **headers)[0] == 200, headers
    assert ask(f"{url}/", **{"sec-fetch-site": "cross-site", "referer": "http://wiki.example/"})[0] == 200  # a link


def test_stop_in_the_ui_ends_the_load_as_usual(load: Load, gateway: Gateway) -> None:
    url = address(load)
    load.until(lambda line: line["type"] == "digest" and bool(line["entries"]))
    assert ask(f"{url}/stop", {})[0] == 200
    done = load.finish()
    assert (done["type"], done["reason"], load.code) == ("done", "ui", 0)
    sent = [asked for asked in gateway.asked if asked.target == "/home"]
    assert done["requests"] == load.digest().count
    assert done["requests"] + done["abandoned"] == len(sent)


def test_users_changed_in_the_ui_are_told(load: Load, gateway: Gateway) -> None:
    url = address(load)
    form = Request(f"{url}/swarm", b"user_count=7&spawn_rate=100&host=", {"origin": url})
    with urlopen(form, timeout=10) as response:
        assert json.loads(response.read())["success"]
    load.until(lambda line: line.get("users") == 7)


def test_it_works_with_several_processes(gateway: Gateway) -> None:
    with Load(plan(gateway.url, ui="127.0.0.1:0", processes=2, interval=0.1)) as load:
        url = address(load)
        load.until(lambda line: line["type"] == "digest" and bool(line["entries"]))
        assert json.loads(ask(f"{url}/stats/requests")[1])["state"] in ("running", "spawning")
        state = json.loads(ask(f"{url}/chaos/faults")[1])
        assert (state["switchable"], state["rules"][0]["drawn"]) == (False, "")
        assert ask(f"{url}/chaos/faults", {"enabled": False})[0] == 502
        load.send({"command": "stop"})
        assert load.finish()["reason"] == "stop"


def test_an_address_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        load = run(plan("http://127.0.0.1:1", ui=f"127.0.0.1:{taken.getsockname()[1]}"))
    assert "already in use" in load.lines[0]["reason"]
    assert (len(load.lines), load.code, load.stderr) == (1, 2, "")
