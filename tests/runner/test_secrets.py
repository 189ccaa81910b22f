"""What came from the environment, and credentials of the file, reach the services, and nothing that a run leaves."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from pathlib import Path

import pytest
from support.experiments import CHAOS

pytestmark = [pytest.mark.slow, pytest.mark.representative]

# Writes down what it was told; its last words have the key.
APPLICATION = """
    import http.server, json, os, pathlib, urllib.error, urllib.request

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            told = [self.path, self.headers["authorization"], self.headers["cookie"], body, os.environ["OWN"]]
            pathlib.Path("told.json").write_text(json.dumps(told))
            passed = {"x-request-id": self.headers["x-request-id"]}
            try:
                urllib.request.urlopen(urllib.request.Request("http://web" + self.path, headers=passed)).close()
            except urllib.error.HTTPError:
                pass
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

EXPERIMENT = """
apiVersion: chaos/v1alpha1
kind: Experiment
metadata: {name: secrets}
spec:
  services:
    web: {builtin: webserver}
    app: {command: [python, app.py], env: {OWN: "${APP_SECRET}"}}
  load:
    users: 4
    requests: 400
    tasks:
    - post: http://app/buy?key=${SHOP_KEY}
      headers: {authorization: "Bearer ${SHOP_TOKEN}", cookie: session=written-in-the-file}
      body: '{"pin": "${SHOP_PIN:-0000}"}'
    - get: http://web/direct?key=${SHOP_KEY}
  verify: {failures: allow}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
    - fault: {abort: {percentage: {value: 50}, httpStatus: 503}}
      route: [{destination: {host: web}}]
"""

VALUES = {
    "APP_SECRET": "app-value-1",
    "SHOP_KEY": "key-value-2",
    "SHOP_TOKEN": "token-value-3",
    "SHOP_PIN": "pin-value-4",
}
SECRETS = (*VALUES.values(), "written-in-the-file")


def command(*arguments: object, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CHAOS, *map(str, arguments)],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one run, beside its report."""
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "app.py").write_text(textwrap.dedent(APPLICATION))
    (folder / "secrets.yaml").write_text(EXPERIMENT)
    ran = command("run", "secrets.yaml", "--seed", "3", folder=folder, **VALUES)
    assert ran.returncode in (0, 3), ran.stdout + ran.stderr
    assert not [each for each in SECRETS if each in ran.stdout + ran.stderr]
    (found,) = (folder / "reports" / "secrets").glob("*/journal.jsonl")
    return found.parent


def test_the_service_gets_the_values(run: Path) -> None:
    target, authorization, cookie, body, own = json.loads((run.parents[2] / "told.json").read_text())
    assert (target, authorization) == ("/buy?key=key-value-2", "Bearer token-value-3")
    assert (cookie, body, own) == ("session=written-in-the-file", '{"pin": "pin-value-4"}', "app-value-1")


def test_nothing_that_the_run_leaves_has_one(run: Path) -> None:
    """Not even what the gateway noted of the application's own calls, whose target has the key."""
    written = [path for path in (run.parents[1]).rglob("*") if path.is_file()]
    assert {"journal.jsonl", "result.json", "report.html"} <= {path.name for path in written}
    found = [(path.name, each) for path in written for each in SECRETS if each.encode() in path.read_bytes()]
    assert found == []
    assert '"/buy?key=${SHOP_KEY}"' in (run / "journal.jsonl").read_text()


def test_the_run_is_replayed_with_the_values_of_then(run: Path) -> None:
    """The names are in the journal, and the file still has the cookie."""
    folder = run.parents[2]
    listed = command("replay", run, "--list", folder=folder, **VALUES)
    assert listed.returncode == 0 and "GET /direct?key=${SHOP_KEY}" in listed.stdout, listed.stderr
    missing = command("replay", run, "--list", folder=folder, SHOP_KEY="k", SHOP_TOKEN="t")
    assert missing.returncode == 2 and "the environment has no variable APP_SECRET" in missing.stderr
