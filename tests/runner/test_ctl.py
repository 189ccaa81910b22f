"""`chaos ctl` beside a gateway that runs in a process of its own."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from support.experiments import start
from support.serving import serving

from chaos.cli.commands import call
from chaos.runner.ctl.find import gateways

RULE = "virtualservice/default/web/0"


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of this test's own, so that gateways of others are not found."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.slow
@pytest.mark.representative
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_level_is_set_told_and_undone(tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: str) -> None:
    with serving(tmp_path, "--workers", workers) as running:
        assert running.get() == 503
        assert call(["ctl", "set", "web.abort=100%", "web.fixedDelay=250ms"]) == 0
        assert capsys.readouterr().out == "faults on; by hand: web[0].abort=100, web[0].fixedDelay=250ms\n"
        assert [running.get() for _ in range(4)] == [418] * 4
        assert call(["ctl", "status"]) == 0
        told = capsys.readouterr().out
        assert "\nweb[0]   web.default.svc.cluster.local\n" in told
        assert "\n  delay 0 % of 250ms (the rules say 5s)\n  abort 100 % (the rules say 0 %)\n" in told
        assert "\n  5 requests, 0 delayed (0 %), 4 aborted (80.0 %)\n  418: 4, 503: 1\n" in told
        assert call(["ctl", "faults", "off", "--format", "json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["enabled"], told["workers"], told["rules"][0]["met"]) == (
            False,
            int(workers),
            {"delay": 0, "abort": 4},
        )
        assert running.get() == 503
        assert call(["ctl", "reset", "--admin", running.admin]) == 0
        assert capsys.readouterr().out == "faults on; nothing is set by hand\n"


@pytest.mark.slow
def test_what_is_unknown_is_said_with_what_was_probably_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path):
        for text, message in (
            ("wep.abort=10", "unknown host or rule 'wep'; did you mean 'web'?"),
            ("web.abrt=10", "unknown fault 'abrt'; did you mean 'abort'?"),
            ("web.abort=ten", "abort must be a percentage from 0 to 100"),
            ("web.abort=101", "abort must be a percentage from 0 to 100"),
            ("web.fixedDelay=5", "fixedDelay must be a duration from 1ms to 24h, like 250ms"),
            (
                "web",
                "write it like webserver.abort=10 (percent), webserver.fixedDelay=250ms or policy/NAME.percentage=10",
            ),
        ):
            assert call(["ctl", "set", "web.abort=50", text]) == 2
            assert capsys.readouterr().err.startswith(f"{text}: {message}")
        assert call(["ctl", "reset", "wep"]) == 2
        capsys.readouterr()
        for name in ("web.default", "web.default.svc.cluster.local", "web[0]", RULE):
            assert call(["ctl", "set", f"{name}.abort=50"]) == 0
        assert call(["ctl", "status", "--format", "json"]) == 0
        assert '"by_hand": [\n  "web[0].abort=50"\n ]' in capsys.readouterr().out


def test_without_a_gateway_the_way_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["ctl", "status"]) == 5
    assert capsys.readouterr().err == (
        "no gateway runs here; start one with `chaos gateway FILE`, or say where its admin API is with "
        "--admin HOST:PORT\n"
    )
    assert call(["ctl", "status", "--admin", "here"]) == 2
    assert call(["ctl", "status", "--admin", "127.0.0.1:1"]) == 5


@pytest.mark.slow
def test_several_gateways_are_listed_and_dead_ones_do_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path) as one, serving(tmp_path, "--admin-token", "secret") as other:
        assert call(["ctl", "status"]) == 2
        told = capsys.readouterr().err
        assert told.startswith("2 gateways run here; say which one:\n")
        assert all(f"--admin {each.admin}   {each.url}, process {each.process.pid}, " in told for each in (one, other))
        one.process.kill()
        one.process.wait()
        assert [each["pid"] for each in gateways()] == [other.process.pid]
        assert call(["ctl", "status"]) == 5
        assert "the admin token is required" in capsys.readouterr().err
        assert call(["ctl", "status", "--admin-token", "secret"]) == 0
    assert list(gateways()) == []
    assert [path.name for path in (tmp_path / "chaos").iterdir()] == [f"gateway-{one.process.pid}.json"]


@pytest.mark.slow
def test_watching_tells_each_second_until_it_is_interrupted(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        running.get()
        watching = start("ctl", "watch", cwd=tmp_path)
        assert watching.stdout is not None
        lines = [watching.stdout.readline() for _ in range(2)]
        os.kill(watching.pid, signal.SIGINT)
        _, err = watching.communicate(timeout=20)
        assert lines[0] == "0 s  web[0]: 1 request, 0/s, 0 delayed (0 %), 0 aborted (0 %)\n"
        assert lines[1].startswith("1 s  web[0]: 1 request,")
        assert watching.returncode == 130 and "Traceback" not in err
        watching = start("ctl", "watch", "--format", "json", cwd=tmp_path)
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["rules"][0]["requests"] == 1
        running.process.terminate()
        _, err = watching.communicate(timeout=20)
        assert watching.returncode == 5 and "does not answer" in err
