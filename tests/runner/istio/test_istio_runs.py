"""Whole runs with the engine `istio`, a small API server, and a real Envoy that follows it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.envoy_binary import find_envoy
from support.experiments import journal, run, start
from support.fake_kubernetes.server import ApiServer
from support.fake_mesh import FakeMesh
from support.in_mesh import abort, answers, case, engine_at, rules, specs
from support.processes import wait_for

from chaos.journal.records import Plan
from chaos.verify.verdict import Verdict

pytestmark = [
    pytest.mark.slow,
    pytest.mark.envoy,
    pytest.mark.skipif(find_envoy() is None, reason="the real Envoy is not installed"),
]

LOAD = {"users": 8, "until": "decided", "duration": "40s"}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with ApiServer() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        server.apply(rules())
        yield server


@pytest.mark.parametrize(
    ("scale", "tolerance", "verdict"),
    [
        pytest.param(1.0, 5, Verdict.VERIFIED, marks=pytest.mark.representative),
        pytest.param(0.9, 1, Verdict.FALSIFIED),
    ],
    ids=["draws 50 %", "draws 45 %"],
)
def test_a_mesh_is_judged_by_what_it_draws(
    tmp_path: Path, api: ApiServer, scale: float, tolerance: int, verdict: Verdict
) -> None:
    before = specs(api.all("VirtualService"))
    with FakeMesh(api, scale=scale) as mesh:
        engine = engine_at(mesh.url)
        file = case(tmp_path, rules(abort(50)), load=LOAD, verify={"tolerance": tolerance})
        result = run(file, tmp_path, engine=engine)
        (finding,) = (each for each in result.findings if each.kind == "abort")
        assert (result.outcome, finding.verdict) == (str(verdict), verdict), finding.sentence
        assert {status for status, _ in asyncio.run(answers(mesh.url, engine.headers))} == {200}
    assert api.all("EnvoyFilter") == api.all("Job") == [] and specs(api.all("VirtualService")) == before
    assert result.folder is not None
    planned = journal(result.folder)[0]
    assert isinstance(planned, Plan) and "context test" in str(planned)


def test_a_killed_supervisor_leaves_nothing(tmp_path: Path, api: ApiServer) -> None:
    with FakeMesh(api) as mesh:
        file = case(tmp_path, rules(abort(50)), load={"duration": "60s"})
        process = start("run", file, "--engine", "istio", "--context", "test", "-n", "shop", "--gateway", mesh.url,
                        "--out", str(tmp_path / "out"), "--no-report", cwd=tmp_path)  # fmt: skip
        try:
            digests = '"type":"digest"'
            written = lambda: any(digests in each.read_text() for each in tmp_path.glob("out/*/*/journal.jsonl"))  # noqa: E731
            wait_for(lambda: written() or process.poll() is not None, 60, "the load")
            assert len(api.all("EnvoyFilter")) == 1
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        wait_for(lambda: not api.all("EnvoyFilter") and not api.all("Job"), 15, "the guard")
