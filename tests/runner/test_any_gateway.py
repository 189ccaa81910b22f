"""`chaos run --gateway URL`: a gateway that runs already is verified from the outside, without tags and counters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.envoy_binary import find_envoy
from support.experiments import experiment, run, virtual_service, write
from support.exported_envoy import real_envoy
from support.ports import held_port

from chaos.errors import ExitCode

pytestmark = pytest.mark.slow

LOAD = {"users": 16, "until": "decided", "duration": "40s"}


def case(folder: Path, abort: float, port: int, **spec: Any) -> str:
    spec = {"services": {"web": {"builtin": "webserver", "port": port}}, "load": LOAD, "seed": 3, **spec}
    return write(folder, experiment(**spec), virtual_service(abort=abort), name=f"case{abort:g}.yaml")


@pytest.mark.envoy
@pytest.mark.skipif(find_envoy() is None, reason="the real Envoy is not installed")
@pytest.mark.parametrize(("really", "outcome"), [(50, "verified"), (45, "falsified")])
def test_a_real_envoy_is_judged_by_what_it_answers(tmp_path: Path, really: float, outcome: str) -> None:
    """The file says 50 %; an Envoy that was configured with 45 % is found out."""
    with (
        held_port() as port,
        held_port() as listener,
        real_envoy(case(tmp_path, really, port), tmp_path, listener) as url,
    ):
        result = run(case(tmp_path, 50, port), tmp_path, gateway=url)
    assert result.outcome == outcome
    (abort,) = (finding for finding in result.findings if finding.kind == "abort")
    assert abort.ledgers == ("configured", "observed")
    assert abort.drawn is None


@pytest.mark.representative
def test_a_gateway_that_is_not_there_is_the_environments_failure(tmp_path: Path) -> None:
    with held_port() as port, held_port() as nobody:
        result = run(case(tmp_path, 50, port), tmp_path, gateway=f"http://127.0.0.1:{nobody}")
    assert result.exit_code is ExitCode.ENVIRONMENT
    assert "nothing accepts connections" in result.reasons[0]
