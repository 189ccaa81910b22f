"""What a task says is what the service gets, and it is got again by a replay."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from support.processes import chaos

pytestmark = pytest.mark.slow

# Writes down what it got, a line of JSON for each request.
APPLICATION = """
    import http.server, json, os, pathlib, threading

    told, alone = pathlib.Path("told.jsonl").open("w", buffering=1), threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            with alone:
                told.write(json.dumps([self.path, self.headers["x-user"], body]) + "\\n")
            answer = json.dumps({"stock": int(self.headers["x-request-id"][:2], 16) % 4}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

EXPERIMENT = """
apiVersion: chaos/v1alpha1
kind: Experiment
metadata: {name: sent}
spec:
  services: {app: {command: [python, app.py]}}
  load:
    users: 4
    requests: 300
    tasks: [{name: order, post: "http://app/order", headers: {x-user: "5"}, body: {file: order.json}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app}
spec:
  hosts: [app]
  http:
    - fault: {abort: {percentage: {value: 50}, httpStatus: 503}}
      route: [{destination: {host: app}}]
"""

ORDER = '{"item": "Käse"}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(textwrap.dedent(APPLICATION))
    (tmp_path / "sent.yaml").write_text(EXPERIMENT)
    (tmp_path / "order.json").write_text(ORDER)
    return tmp_path


def got(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "told.jsonl").read_text().splitlines()]


def test_a_body_comes_from_its_file(folder: Path) -> None:
    ran = chaos("run", folder / "sent.yaml", "--out", folder / "reports", "--no-report", "--seed", "5", cwd=folder)
    assert ran.returncode in (0, 3), ran.stdout + ran.stderr
    found = got(folder)
    assert len(found) > 50 and all(each == ["/order", "5", ORDER] for each in found)
    run = folder / "reports" / "sent"
    assert chaos("replay", run, "--list", cwd=folder).returncode == 0
    (folder / "order.json").write_text("{}")
    other = chaos("replay", run, "--list", cwd=folder)
    assert other.returncode == 2 and "the run sent another body: (file order.json, 18 bytes" in other.stderr
    (folder / "order.json").unlink()
    missing = chaos("run", folder / "sent.yaml", cwd=folder)
    assert missing.returncode == 2 and "order.json: there is no such file" in missing.stderr


def test_responses_that_are_not_what_the_task_expects_are_failed_checks(folder: Path) -> None:
    """A quarter of those that reach the service has another stock; what is aborted has not the status."""
    expected = EXPERIMENT.replace("50}", "20}").replace("requests: 300", "requests: 1000")
    expected = expected.replace("{file: order.json}}", "x, expect: {status: 200, json: {stock: 1}}}")
    claims = "  verify: {failures: allow, expect: ['checks_failed > 60%', 'checks_succeeded > 60%']}\n---"
    (folder / "sent.yaml").write_text(expected.replace("---", claims))
    ran = chaos("run", folder / "sent.yaml", "--out", folder / "reports", "--seed", "5", cwd=folder)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    (path,) = (folder / "reports" / "sent").glob("*/result.json")
    result = json.loads(path.read_text())
    judged = [each for each in result["findings"] if "checks" in each["title"]]
    verdicts = {each["title"]: (each["verdict"], each["observed"]["n"]) for each in judged}
    assert verdicts == {"checks_failed > 60%": ("verified", 1000), "checks_succeeded > 60%": ("falsified", 1000)}
    parts = result["load"]["delivered"]["checks"]["order"]
    stock = sum(1 for each in got(folder))
    assert parts["status"] == 1000 - stock and 0.6 * stock < parts["json"] < 0.9 * stock
    assert "order: " in ran.stdout and "failed their checks (json" in ran.stdout
    assert "Failed checks" in (path.parent / "report.html").read_text()
