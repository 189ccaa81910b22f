"""When a phase has nothing more to wait for."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.planner import plan_run
from chaos.runner.supervise import standing as module
from chaos.runner.supervise.journal import JournalWriter
from chaos.runner.supervise.measurement import Recording
from chaos.runner.supervise.standing import PATIENCE, Standing
from chaos.runner.terminal.view import View

FILE = """
apiVersion: chaos/v1alpha1
kind: Experiment
spec: {load: {tasks: [{get: "http://web/"}]}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http: [{fault: {delay: {percentage: {value: 50}, fixedDelay: 5s}}, route: [{destination: {host: web}}]}]
"""


def test_claims_without_traffic_keep_a_phase_open_while_its_first_responses_are_delayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The load tells of a request only when those that were sent with it have their responses; a gateway that counts in
    order, or not at all, knows of none before either."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    (tmp_path / "case.yaml").write_text(FILE)
    plan = plan_run(str(tmp_path / "case.yaml"), RunOptions())
    journal = JournalWriter(tmp_path)
    try:
        recording = Recording(journal, plan.judge())
        standing = Standing(plan, recording, View())
        standing.phase = plan.first
        standing.hold()
        standing.findings = recording.findings(starved="")
        decided = {}
        for now[0] in (0.0, PATIENCE + 0.1, PATIENCE + 4.9, PATIENCE + 5.1):
            decided[round(now[0], 1)] = standing.decided
    finally:
        journal.close()
    assert list(decided.values()) == [False, False, False, True]
