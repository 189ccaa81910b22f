"""Programs of one's own: started with PORT and the gateway in their environment, watched, and ended with the run."""

from __future__ import annotations

import json
import socket
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from support.experiments import alive, experiment, run, virtual_service, write
from support.ports import held_port
from support.processes import wait_for

from chaos.errors import ExitCode
from chaos.runner.processes.ports import accepts
from chaos.runner.terminal.view import View

pytestmark = pytest.mark.slow

# Calls `web` through HTTP_PROXY, passes its status on, and writes down what it was told and who it started.
APPLICATION = """
    import http.server, json, os, pathlib, subprocess, sys, urllib.error, urllib.request

    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    told = {name: os.environ.get(name) for name in ("PORT", "HTTP_PROXY", "CHAOS_GATEWAY", "OWN")}
    pathlib.Path("told.json").write_text(json.dumps({**told, "pids": [os.getpid(), helper.pid]}))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            headers = {"x-request-id": self.headers.get("x-request-id", "")}
            try:
                with urllib.request.urlopen(urllib.request.Request("http://web/", headers=headers)) as answer:
                    status = answer.status
            except urllib.error.HTTPError as error:
                status = error.code
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    print("the application speaks", flush=True)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def case(folder: Path, service: dict, **load: object) -> str:
    services = {"app": service, "web": {"builtin": "webserver"}}
    wanted = {"users": 4, "requests": 200, "tasks": [{"get": "http://app/"}], **load}
    return write(folder, experiment(services=services, load=wanted), virtual_service(abort=100, status=418))


def program(folder: Path, text: str = APPLICATION) -> list[str]:
    (folder / "app.py").write_text(textwrap.dedent(text))
    return [sys.executable, "app.py"]


@pytest.mark.representative
def test_a_program_calls_through_the_gateway_and_ends_with_everything_it_started(tmp_path: Path) -> None:
    """Its users see what the faults of its calls did; its output is in the run's folder."""
    result = run(case(tmp_path, {"command": program(tmp_path), "env": {"OWN": 1}}), tmp_path)
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["OWN"] == "1" and told["HTTP_PROXY"] == told["CHAOS_GATEWAY"]
    assert told["HTTP_PROXY"].startswith("http://127.0.0.1:") and int(told["PORT"]) > 0
    (abort,) = (finding for finding in result.findings if finding.kind == "abort")
    assert abort.drawn is not None and abort.drawn.k == abort.drawn.n >= 200
    assert result.folder is not None and "the application speaks" in (result.folder / "app.log").read_text()
    wait_for(lambda: not any(alive(pid) for pid in told["pids"]), 2, "the program and its helper to end")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise SystemExit('no database')", "app ended with exit code 1 before it answered: no database"),
        ("import time; time.sleep(60)", "app did not answer on 127.0.0.1:"),
        ("import socket, time; s = socket.create_server(('127.0.0.1', 0)); time.sleep(60)", "it listens on"),
    ],
)
def test_a_program_that_never_answers_is_told_with_what_it_did(tmp_path: Path, text: str, words: str) -> None:
    service = {"command": program(tmp_path, text), "readiness": {"timeout": "2s"}}
    result = run(case(tmp_path, service), tmp_path)
    assert result.exit_code is ExitCode.ENVIRONMENT
    assert words in result.reasons[0]


def test_a_program_that_ends_in_the_middle_ends_the_run(tmp_path: Path) -> None:
    dies = APPLICATION.replace(
        "    print(", "    import threading; threading.Timer(3, os._exit, [7]).start()\n    print("
    )
    result = run(case(tmp_path, {"command": program(tmp_path, dies)}, requests=1_000_000), tmp_path)
    assert result.exit_code is ExitCode.ENVIRONMENT
    assert "app ended with exit code 7" in result.reasons[0]


def test_a_program_that_ignores_the_proxy_is_told_of_with_what_to_do(tmp_path: Path) -> None:
    """It looks for `web` itself, where there is nobody."""
    deaf = APPLICATION.replace("import http.server", "import os; os.environ.pop('http_proxy'); import http.server")
    deaf = deaf.replace(
        "told = {name: os.environ.get(name)", 'proxy = os.environ.pop("HTTP_PROXY")\n    told = {name: 1'
    )
    deaf = deaf.replace("except urllib.error.HTTPError as error:", "except OSError:").replace("error.code", "502")
    view = Told()
    result = run(case(tmp_path, {"command": program(tmp_path, deaf)}), tmp_path, view=lambda: view)
    assert result.exit_code is not ExitCode.VERIFIED
    (said,) = [text for text in view.events if "called nobody through the gateway" in text]
    assert "app answered 200 requests" in said.replace("\u202f", " ") and "trust_env=True" in said


class Told(View):
    def __init__(self) -> None:
        self.events: list[str] = []

    def event(self, level: str, text: str) -> None:
        self.events.append(text)


def test_a_path_that_is_not_found_is_not_ready(tmp_path: Path) -> None:
    missing = APPLICATION.replace("def do_GET(self):", "def do_GET(self):\n            return self.send_error(404)\n")
    service = {"command": program(tmp_path, missing), "readiness": {"path": "/health", "timeout": "1s"}}
    result = run(case(tmp_path, service), tmp_path)
    assert result.exit_code is ExitCode.ENVIRONMENT
    assert "it answers 404 there, and 200 to 399 is ready" in result.reasons[0]


def test_a_program_whose_path_is_not_ready_yet_is_waited_for(tmp_path: Path) -> None:
    """`/health` answers 503 at first; 200 to 399 is ready."""
    slow = APPLICATION.replace(
        "        def do_GET(self):",
        "        asked = 0\n\n        def do_GET(self):\n            if self.path == '/health':\n"
        "                Handler.asked += 1\n                self.send_response(503 if Handler.asked < 4 else 204)\n"
        "                self.end_headers()\n                self.close_connection = True\n                return",
    )
    service = {"command": program(tmp_path, slow), "readiness": {"path": "/health"}}
    result = run(case(tmp_path, service), tmp_path)
    assert result.requests == 200


def test_a_port_that_is_taken_is_told_before_the_program_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert accepts("127.0.0.1", port)
        result = run(case(tmp_path, {"command": program(tmp_path), "port": port}), tmp_path)
    assert result.exit_code is ExitCode.ENVIRONMENT
    assert f"port {port} is taken already" in result.reasons[0]
    assert not (tmp_path / "told.json").exists()


DEAD: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "an endpoint of the experiment": ({"web": {"endpoints": [{"address": "127.0.0.1:{port}"}]}}, []),
    "an endpoint of a ServiceEntry": (
        {},
        [
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "ServiceEntry",
                "metadata": {"name": "web"},
                "spec": {
                    "hosts": ["web.default.svc.cluster.local"],
                    "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                    "resolution": "STATIC",
                    "endpoints": [{"address": "127.0.0.1", "ports": {"http": "{port}"}}],
                },
            }
        ],
    ),
}


@pytest.mark.parametrize("case", DEAD)
def test_an_endpoint_that_does_not_listen_ends_the_run_before_it_begins(case: str, tmp_path: Path) -> None:
    """With every forwarded request answered 503, a verdict on the aborts would be true, and worth nothing."""
    services, documents = DEAD[case]
    with held_port() as port:
        text = json.dumps([services, documents]).replace('"{port}"', str(port)).replace("{port}", str(port))
        services, documents = json.loads(text)
        file = write(tmp_path, experiment(services=services), virtual_service(abort=50), *documents)
        result = run(file, tmp_path)
    assert result.exit_code is ExitCode.ENVIRONMENT
    assert result.requests == 0
    assert f"nothing listens on 127.0.0.1:{port}, an endpoint of web.default.svc.cluster.local:80" in result.reasons[0]
