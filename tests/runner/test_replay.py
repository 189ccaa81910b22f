"""`chaos replay`: exactly the requests that were faulted, sent again, meet the same faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.processes import chaos

from chaos.runner.replaying import Choice, faulted_among, plan_replay

pytestmark = pytest.mark.slow

EXPERIMENT = """
apiVersion: chaos/v1alpha1
kind: Experiment
metadata: {name: shop}
spec:
  services:
    web: {builtin: webserver}
    shop: {builtin: proxy, url: "http://web"}
  load:
    users: 8
    tasks:
      - {name: web, get: "http://web/", weight: 2}
      - {name: shop, get: "http://shop/"}
  phases:
    - {name: before, faults: off, requests: 100}
    - {name: fault, requests: 300}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
    - fault: {abort: {percentage: {value: 40}, httpStatus: 503}}
      route: [{destination: {host: web}}]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two phases, on a service behind the gateway and on an application whose calls pass it."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.yaml").write_text(EXPERIMENT)
    ran = chaos("run", folder / "shop.yaml", "--out", folder / "reports", "--seed", "5", "--no-report", cwd=folder)
    assert ran.returncode in (0, 3), ran.stdout + ran.stderr
    return folder / "reports" / "shop"


def rows(run: Path, *arguments: str) -> list[list[str]]:
    listed = chaos("replay", run, "--list", *arguments)
    assert listed.returncode == 0, listed.stderr
    return [line.split("\t") for line in listed.stdout.splitlines()]


def test_the_requests_listed_are_those_that_the_gateway_noted(run: Path) -> None:
    """Those through the gateway are computed, those of the application recorded; the phase without faults has none."""
    listed = rows(run)
    (journal,) = run.glob("*/journal.jsonl")
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    noted = {row["id"] for record in records if record["type"] == "faulted" for row in record["requests"]}
    ids = {row[0] for row in listed}
    assert len(ids) == len(listed)
    assert {row[2] for row in listed} == {"web", "shop"}
    # The requests that were in flight when the phase changed may be counted to either side.
    assert len(ids ^ noted) <= 2 * 8
    assert len(ids) > 60


def test_they_meet_the_same_faults_again_even_when_the_file_has_changed(run: Path) -> None:
    file = run.parent.parent / "shop.yaml"
    file.write_text(EXPERIMENT.replace("value: 40", "value: 1"))
    try:
        again = chaos("replay", run, "--fault", "abort", "--limit", "80", cwd=file.parent)
    finally:
        file.write_text(EXPERIMENT)
    assert again.returncode == 0, again.stdout + again.stderr
    lines = again.stdout.splitlines()
    assert lines[0] == "shop: 80 requests again, seed 5"
    assert lines[-1] == "every one met the same fault as before"
    aborted = next(line.split() for line in lines if line.startswith("web "))
    assert aborted[1:4] == ["503", "abort", str(sum(row[2] == "web" for row in rows(run, "--limit", "80")))]


def test_a_single_request_is_sent_again_whatever_it_met(run: Path) -> None:
    """One that the rules would abort, but that was sent while faults were off; its response is shown."""
    replay = plan_replay(run, Choice())
    would_be = next(faulted_among(replay.recorded, replay.run_plan, 1, range(50)))
    again = chaos("replay", run, "--id", would_be.id)
    assert again.returncode == 0, again.stdout + again.stderr
    lines = again.stdout.splitlines()
    assert lines[1].split()[:4] == ["web", "200", "-", "1"]
    assert (lines[0], lines[2:]) == (
        "shop: 1 request again, seed 5",
        ["WebServer V1 from webv1-1", "it met no fault, as before"],
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "cart"], "the run has no task 'cart'; it has 'web', 'shop'"),
        (["--phase", "after"], "the run has no phase 'after'; it has 'before', 'fault'"),
        (["--id", "no-such-id"], "the run sent no request no-such-id"),
        (["--fault", "delay"], "no request of this run met such a fault"),
    ],
)
def test_what_the_run_does_not_have_is_said_in_one_line(run: Path, arguments: list[str], message: str) -> None:
    refused = chaos("replay", run, *arguments)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
