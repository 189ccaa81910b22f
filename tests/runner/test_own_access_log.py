"""Our gateway's own access log is read back: by `chaos judge`, and by a run through that gateway."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.experiments import experiment, run, start, virtual_service, write
from support.ports import held_port

from chaos.cli.commands import call
from chaos.errors import ExitCode


@pytest.mark.slow
def test_a_run_and_the_judge_read_what_our_gateway_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Weights are judged by the log that the other process writes meanwhile; then its faults are, again."""
    log = tmp_path / "access.log"
    log.touch()
    fault = {"abort": {"percentage": {"value": 30}, "httpStatus": 503}}
    with held_port() as web, held_port() as other:
        services = {"web": {"builtin": "webserver", "port": web}, "other": {"builtin": "webserver", "port": other}}
        load = {"users": 16, "until": "decided", "duration": "40s"}
        route = [{"destination": {"host": "web"}, "weight": 75}, {"destination": {"host": "other"}, "weight": 25}]
        listed = {
            host: {"endpoints": [{"address": f"127.0.0.1:{port}"}]} for host, port in (("web", web), ("other", other))
        }
        rule = virtual_service(route=route, fault=fault)
        served = write(tmp_path, experiment(services=listed), rule, name="served.yaml")
        gateway = start("gateway", served, "--listen", "127.0.0.1:0", "--access-log", str(log), cwd=tmp_path)
        try:
            assert gateway.stdout is not None
            url = [gateway.stdout.readline().split()[2] for _ in range(2)][1]
            case = experiment(services=services, load=load, verify={"tolerance": 10}, seed=3)
            result = run(write(tmp_path, case, rule), tmp_path, gateway=url, access_log=log)
        finally:
            gateway.terminate()
            gateway.communicate(timeout=20)
    found = {each.title: each for each in result.findings}
    assert result.exit_code is ExitCode.VERIFIED, result.findings
    assert {found[title].verdict.value for title in ("to web", "to other")} == {"verified"}
    assert found["to web"].drawn is not None
    command = ["judge", str(log), "--claim", "abort 503 30% ± 10", "--no-report"]
    assert call(command) == 0, capsys.readouterr()
    count = len(log.read_text().splitlines())
    assert re.sub(r"(?<=\d) (?=\d)", "", capsys.readouterr().out).count(str(count))
