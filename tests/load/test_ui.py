"""`--ui`: Locust's own web UI, with the run beside it; the same digests as without."""

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

KEY = "virtualservice/default/web/0"


class Gateway(Origin):
    """The gateway, as far as the UI knows it: it answers requests, and its admin API remembers what is set."""

    enabled = True

    def __init__(self) -> None:
        super().__init__(self.reply)
        self.levels = {"abort": 50.0}

    async def reply(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        match asked.method, asked.target:
            case "GET", "/faults":
                rules = [{"key": KEY, "name": "web[0]", "levels": self.levels, "configured": {"abort": 50.0}}]
                said = {"enabled": self.enabled, "by_hand": [], "rules": rules}
                writer.write(ok(asked, body=json.dumps(said).encode()))
            case "PUT", "/faults":
                self.enabled = json.loads(asked.body)["enabled"]
                writer.write(ok(asked, body=b"{}"))
            case "PUT", path if path == f"/faults/{KEY}":
                self.levels = json.loads(asked.body)
                writer.write(ok(asked, body=b"{}"))
            case "DELETE", path if path == f"/faults/{KEY}":
                self.levels = {"abort": 50.0}
                writer.write(ok(asked, body=b"{}"))
            case ("PUT", _) | ("DELETE", _):
                writer.write(ok(asked, status="404 x", body=b'{"error": "there is no such rule"}'))
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
    with Load(plan(gateway.url, ui="127.0.0.1:0", admin=gateway.url, interval=0.1)) as made:
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
    for part in ("live.js", "live_charts.js", "live_locust.js", "live.css"):
        assert f"./chaos/{part}" in page
        assert ask(f"{url}/chaos/{part}")[0] == 200
    stats = json.loads(ask(f"{url}/stats/requests")[1])
    assert stats["state"] == "running"
    assert stats["user_count"] == 4
    home = stats["stats"][0]
    assert (home["name"], home["method"]) == ("home", "GET")
    assert home["avg_content_length"] == len(b"fine")
    assert 0 < home["num_failures"] < home["num_requests"]


def test_the_tab_shows_what_the_supervisor_says(load: Load, gateway: Gateway) -> None:
    url = address(load)
    load.send({"command": "live", "state": {"number": 1, "name": "first", "end": None}})
    first = json.loads(ask(f"{url}/chaos/live?after=0")[1])
    load.send({"command": "live", "state": {"number": 2, "name": "second", "end": None}})
    second = json.loads(ask(f"{url}/chaos/live?after=1")[1])
    assert (first["name"], second["name"]) == ("first", "second")


def test_faults_are_switched_at_the_gateway(load: Load, gateway: Gateway) -> None:
    """All of them, or those of one rule. The supervisor sees it in the gateway's counters and tells the journal; the
    load does not tell it, too."""
    url = address(load)
    for enabled in (False, True):
        status, text = ask(f"{url}/chaos/faults", {"enabled": enabled})
        state = json.loads(text)
        assert (status, state["enabled"], state["switchable"], gateway.enabled) == (200, enabled, True, enabled)
    for wanted, levels in (({"rule": KEY, "levels": {"abort": 0}}, 0), ({"rule": KEY}, 50)):
        status, text = ask(f"{url}/chaos/faults", wanted)
        assert (status, json.loads(text)["rules"][0]["levels"]) == (200, {"abort": levels})
    assert ask(f"{url}/chaos/faults", {"enabled": "off"})[0] == 400
    status, text = ask(f"{url}/chaos/faults", {"rule": "none"})
    assert (status, json.loads(text)["error"]) == (502, "there is no such rule")
    load.until(lambda line: line["type"] == "digest" and bool(line["entries"]))
    assert not [line for line in load.lines if line["type"] == "event"]


def test_a_load_that_waits_begins_when_it_is_started_there(gateway: Gateway) -> None:
    with Load(plan(gateway.url, ui="127.0.0.1:0", waits=True, interval=0.1)) as load:
        url = address(load)
        assert json.loads(ask(f"{url}/stats/requests")[1])["state"] == "ready"
        page = ask(f"{url}/")[1]
        assert '"missing_host_warning": false' in page and '"num_users": 4' in page
        assert not gateway.asked
        form = Request(f"{url}/swarm", b"user_count=3&spawn_rate=100&host=", {"origin": url})
        with urlopen(form, timeout=10) as response:
            assert json.loads(response.read())["success"]
        load.until_type("started")
        load.until(lambda line: line.get("users") == 3 and bool(line["entries"]))


def test_stages_begin_when_the_load_is_started(gateway: Gateway) -> None:
    stages = [(0.3, 2, 100.0), (60.0, 5, 100.0)]
    with Load(plan(gateway.url, ui="127.0.0.1:0", waits=True, interval=0.1, stages=stages)) as load:
        url = address(load)
        with urlopen(Request(f"{url}/swarm", b"user_count=1&spawn_rate=100", {"origin": url}), timeout=10) as response:
            assert json.loads(response.read())["success"]
        load.until(lambda line: line.get("users") == 5)


def test_the_pages_stay_until_they_have_the_verdict(load: Load, gateway: Gateway) -> None:
    """The load is over and nothing can be started any more, but its process serves what the supervisor still says."""
    url = address(load)
    load.until(lambda line: line["type"] == "digest" and bool(line["entries"]))
    ask(f"{url}/chaos/live?page=mine&after=1")
    load.send({"command": "stop"})
    load.until_type("done")
    for path in ("/swarm", "/stop", "/stats/reset"):
        assert ask(url + path, {})[0] == 409
    end = {"outcome": "verified", "report": ""}
    load.send({"command": "live", "state": {"number": 1, "stage": "over", "end": end}})
    load.send({"command": "leave"})
    assert json.loads(ask(f"{url}/chaos/live?page=mine&after=0")[1])["end"] == end
    assert ask(f"{url}/chaos/seen?page=mine", {})[0] == 200
    assert load.code == 0


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
    done = load.until_type("done")
    load.send({"command": "leave"})
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
        assert (state["switchable"], state["rules"]) == (False, [])
        assert ask(f"{url}/chaos/faults", {"enabled": False})[0] == 502
        load.send({"command": "stop"})
        assert load.until_type("done")["reason"] == "stop"


def test_an_address_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        load = run(plan("http://127.0.0.1:1", ui=f"127.0.0.1:{taken.getsockname()[1]}"))
    assert "already in use" in load.lines[0]["reason"]
    assert (len(load.lines), load.code, load.stderr) == (1, 2, "")
