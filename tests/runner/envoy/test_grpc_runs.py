"""gRPC over a real Envoy, whole runs: what the rules say of calls is verified, and a wrong Envoy is falsified."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import biased_envoy
from support.envoy_binary import find_envoy
from support.experiments import experiment, journal, run, virtual_service, write

from chaos.errors import ExitCode
from chaos.journal.records import Counters, DigestLine
from chaos.runner.plan.engines import EngineName, engine_of
from chaos.runner.terminal.result import RunResult
from chaos.statuses import of_grpc
from chaos.verify.verdict import Verdict

pytest.importorskip("grpc_tools")
pytest.importorskip("grpc_reflection")

from support.grpc_server import GrpcServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.envoy,
    pytest.mark.skipif(find_envoy() is None, reason="the real Envoy is not installed"),
]

CALL = {"kind": "grpc", "url": "http://echo:50051", "service": "shop.Echo", "method": "Say", "json": {"text": "hi"}}
HALF = {"abort": {"percentage": {"value": 50}, "grpcStatus": "UNAVAILABLE"}}


@pytest.fixture(scope="module")
def server() -> Iterator[GrpcServer]:
    with GrpcServer(reflects=True) as server:
        yield server


def case(
    folder: Path, server: GrpcServer, fault: dict[str, Any], *tasks: dict[str, Any], requests: int = 1500, **verify: Any
) -> str:
    """An experiment whose service describes itself."""
    endpoints = [{"address": f"127.0.0.1:{server.port}"}]
    spec = experiment(
        services={"echo:50051": {"protocol": "GRPC", "endpoints": endpoints}},
        load={"users": 8, "requests": requests, "tasks": [*(tasks or (CALL,))]},
        verify={"confidence": 90, "tolerance": 10, **verify},
    )
    return write(folder, spec, virtual_service("echo", fault=fault))


def found(result: RunResult, kind: str) -> Any:
    return next(each for each in result.findings if each.kind == kind)


@pytest.mark.representative
def test_half_of_the_calls_aborted_and_some_delayed_is_verified(tmp_path: Path, server: GrpcServer) -> None:
    """Nobody but the server itself was asked what its service is: no call of the run but the load's is counted."""
    late = {"delay": {"percentage": {"value": 30}, "fixedDelay": "50ms"}}
    file = case(tmp_path, server, HALF | late, expect=["status(UNAVAILABLE) < 70%"])
    result = run(file, tmp_path, engine=engine_of(EngineName.ENVOY))
    abort, delay = found(result, "abort"), found(result, "delay")
    assert (abort.title, abort.verdict, delay.verdict) == ("abort gRPC UNAVAILABLE", Verdict.VERIFIED, Verdict.VERIFIED)
    assert "were aborted with gRPC UNAVAILABLE" in abort.sentence
    assert not any(each.verdict is Verdict.FALSIFIED for each in result.findings)
    assert result.folder is not None
    seen = {
        entry["status"] for line in journal(result.folder) if isinstance(line, DigestLine) for entry in line.entries
    }
    assert seen == {of_grpc(0), of_grpc(14)}
    last = [line for line in journal(result.folder) if isinstance(line, Counters)][-1].counters
    (counts,) = last["phases"][""].values()
    assert counts["statuses"] == {str(of_grpc(14)): counts["faults"]["abort"] + counts["faults"]["delay,abort"],
                                  str(of_grpc(0)): counts["forwarded"]}  # fmt: skip


def test_an_envoy_that_aborts_fewer_calls_is_falsified(tmp_path: Path, server: GrpcServer) -> None:
    """40 % where the file says 50, beside a tolerance of 2 points."""
    engine = engine_of(EngineName.ENVOY)
    program = (engine.program[0], biased_envoy.__file__, "0.8", *engine.program[3:])
    result = run(case(tmp_path, server, HALF, requests=2500, tolerance=2), tmp_path, engine=engine, program=program)
    abort = found(result, "abort")
    assert (abort.verdict, abort.cause, result.exit_code) == (Verdict.FALSIFIED, "dice", ExitCode.FALSIFIED)


def test_a_service_that_the_server_does_not_have_ends_the_run_at_its_line(tmp_path: Path, server: GrpcServer) -> None:
    file = case(tmp_path, server, HALF, {**CALL, "service": "shop.Ecko"})
    result = run(file, tmp_path, engine=engine_of(EngineName.ENVOY))
    assert result.exit_code is ExitCode.USAGE
    assert "spec.load.tasks[0].service: there is no service called shop.Ecko; did you mean" in result.reasons[0]
