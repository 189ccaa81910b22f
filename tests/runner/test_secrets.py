"""What came from the environment, and credentials of the file, reach the services, and nothing that a run leaves.

A secret is planted in each place where one can stand, and the services give them back in each way they can."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import textwrap
from pathlib import Path

import pytest
from support.experiments import CHAOS

pytestmark = [pytest.mark.slow, pytest.mark.representative]

# Writes down what it was told, calls the mesh with it, and gives it back in one of several ways; its log has it, too.
APPLICATION = """
    import base64, html, http.server, json, os, pathlib, sys, urllib.error, urllib.parse, urllib.request

    FORMS = [
        str, html.escape, urllib.parse.quote, urllib.parse.quote_plus, json.dumps, lambda text: "x" * 290 + text,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: json.dumps({"set_token": "given-out-value-9"}),
    ]

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
            self.answer([self.path, *self.headers.values(), body, os.environ["OWN"], os.environ["APP_PASSWORD"]])

        def do_GET(self):
            self.answer([self.path, *self.headers.values()])

        def answer(self, told):
            text = ", ".join(text for text in told if "value" in text or "YWRt" in text)
            print(text, file=sys.stderr, flush=True)
            number = int(self.headers["x-request-id"][:8], 16)
            said = FORMS[number % len(FORMS)](text).encode()
            self.send_response(500 + number % 7)
            self.send_header("content-length", str(len(said)))
            self.send_header("set-cookie", "a=given-out-value-9")
            self.end_headers()
            self.wfile.write(said)

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
    shop: {builtin: webserver}
    app: {command: [python, app.py], env: {OWN: "${APP_SECRET}", APP_PASSWORD: password-value-8}}
  load:
    users: 4
    requests: 400
    tasks:
    - post: http://app/buy?key=${SHOP_KEY}
      headers: {authorization: "Bearer ${SHOP_TOKEN}", cookie: session=written-in-the-file, x-shop-secret: task-value-5}
      body: '{"pin": "${SHOP_PIN:-0000}"}'
    - get: http://web/direct?key=${SHOP_KEY}
    - get: http://shop/echo
      headers: {authorization: Basic YWRtaW46c3dvcmRmaXNo}
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
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
    - headers: {request: {set: {x-api-key: rule-value-6}}, response: {set: {set-cookie: b=rule-value-6b}}}
      route:
      - destination: {host: app}
        headers: {request: {add: {x-shop-token: route-value-7}}}
---
apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData: {plain: kubernetes-value-8}
"""

VALUES = {
    "APP_SECRET": "app-value-1",
    "SHOP_KEY": "key-value-2",
    "SHOP_TOKEN": "token-value-3",
    "SHOP_PIN": "pin-value-4",
}
SECRETS = (
    *(*VALUES.values(), "written-in-the-file", "task-value-5", "YWRtaW46c3dvcmRmaXNo", "swordfish"),
    *("rule-value-6", "route-value-7", "password-value-8", "kubernetes-value-8", "given-out-value-9"),
)
ENCODED = [base64.b64encode(bytes(before) + each.encode())[4:-4] for each in SECRETS for before in range(3)]


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
    written = ("--junit", "junit.xml", "--summary", "summary.md")
    ran = command("run", "secrets.yaml", "--seed", "3", *written, folder=folder, **VALUES)
    assert ran.returncode in (0, 1, 3), ran.stdout + ran.stderr
    assert not [each for each in SECRETS if each in ran.stdout + ran.stderr]
    (found,) = (folder / "reports" / "secrets").glob("*/journal.jsonl")
    return found.parent


def test_the_service_gets_the_values(run: Path) -> None:
    target, authorization, cookie, body, own = json.loads((run.parents[2] / "told.json").read_text())
    assert (target, authorization) == ("/buy?key=key-value-2", "Bearer token-value-3")
    assert (cookie, body, own) == ("session=written-in-the-file", '{"pin": "pin-value-4"}', "app-value-1")


def test_nothing_that_the_run_leaves_has_one(run: Path) -> None:
    """Not even what the gateway noted of the application's own calls, whose target has the key."""
    folder = run.parents[2]
    own = [folder / name for name in ("secrets.yaml", "app.py", "told.json")]
    written = [path for path in folder.rglob("*") if path.is_file() and path not in own]
    names = {path.name for path in written}
    assert {"journal.jsonl", "result.json", "report.html", "app.log", "junit.xml", "summary.md"} <= names
    secrets = [*(each.encode() for each in SECRETS), *ENCODED]
    assert [(path.name, each) for path in written for each in secrets if each in path.read_bytes()] == []
    assert '"/buy?key=${SHOP_KEY}"' in (run / "journal.jsonl").read_text()


def test_what_came_back_is_shown_with_names_in_their_place(run: Path) -> None:
    """Otherwise there would be nothing to see in it; the name of a header stays, too."""
    kept = json.loads((run / "result.json").read_text())["exemplars"]["failures"]
    bodies = " ".join(each["body"] for each in kept)
    assert {"/buy?key=${SHOP_KEY}", "${APP_SECRET}", "***"} <= set(re.split(r"[, ]+", bodies))
    page = (run / "report.html").read_text()
    assert "x-api-key" in page and "x-shop-secret" in page and "${APP_SECRET}" in page
    assert "${APP_SECRET}" in (run / "app.log").read_text()


def test_the_run_is_replayed_with_the_values_of_then(run: Path) -> None:
    """The names are in the journal, and the file still has the cookie."""
    folder = run.parents[2]
    listed = command("replay", run, "--list", folder=folder, **VALUES)
    assert listed.returncode == 0 and "GET /direct?key=${SHOP_KEY}" in listed.stdout, listed.stderr
    missing = command("replay", run, "--list", folder=folder, SHOP_KEY="k", SHOP_TOKEN="t")
    assert missing.returncode == 2 and "the environment has no variable APP_SECRET" in missing.stderr


def test_a_single_request_is_sent_again_with_its_credentials_and_shows_none(run: Path) -> None:
    folder, told = run.parents[2], run.parents[2] / "told.json"
    kept = json.loads((run / "result.json").read_text())["exemplars"]["failures"]
    bought = next(each for each in kept if each["task"].startswith("POST"))
    told.unlink()
    again = command("replay", run, "--id", bought["id"], folder=folder, **VALUES)
    assert again.returncode == 0, again.stdout + again.stderr
    assert not [each for each in SECRETS if each in again.stdout + again.stderr]
    assert json.loads(told.read_text())[1:3] == ["Bearer token-value-3", "session=written-in-the-file"]
