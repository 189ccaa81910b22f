"""Whoever watches a run may switch its faults off in the web UI. What happens meanwhile is no evidence."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from support.experiments import experiment, journal, run, virtual_service, write
from support.processes import wait_for

from chaos.journal.records import Counters, DigestLine, Event
from chaos.protocol.digest import BY_HAND
from chaos.runner.ctl.find import gateways
from chaos.runner.ctl.setting import apply, reset, settings
from chaos.runner.ctl.status import read_faults
from chaos.runner.processes.admin import Admin
from chaos.runner.terminal.view import View
from chaos.verify.verdict import Verdict

OFF = 1.0  # seconds without faults; there are no verdicts before that


class Watcher(View):
    """Someone who switches the faults off as soon as there is a web UI, and on again later."""

    def event(self, level: str, text: str) -> None:
        if text.startswith("Locust's web UI is at "):
            threading.Thread(target=self.switch, args=(text.rpartition(" ")[2],), daemon=True).start()

    def switch(self, url: str) -> None:
        time.sleep(0.5)
        for enabled in (False, True):
            body = json.dumps({"enabled": enabled}).encode()
            request = urllib.request.Request(f"{url}/chaos/faults", body, {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=10) as response:
                assert json.load(response)["enabled"] is enabled
            time.sleep(OFF)


class Setter(View):
    """Someone who sets a level with `chaos ctl` before the load begins, and undoes it after some requests, when the run
    has told of it: it looks once a second."""

    def __init__(self) -> None:
        self.told = threading.Event()

    def event(self, level: str, text: str) -> None:
        if text.startswith("by hand: "):
            self.told.set()

    def begin(self, name: str, description: str, folder: Path) -> None:
        threading.Thread(target=self.set, daemon=True).start()

    def set(self) -> None:
        admin = Admin(wait_for(lambda: list(gateways()), 20, "the gateway")[0]["admin"])
        faults = read_faults(admin)
        apply(admin, settings(["web.abort=0"], faults))
        counts = lambda: admin.read_counters()["phases"].get(BY_HAND, {}).values()  # noqa: E731
        wait_for(lambda: sum(rule["requests"] for rule in counts()) > 2000, 20, "2000 requests")
        assert self.told.wait(20)
        reset(admin, ["web"], faults)


@pytest.mark.slow
def test_what_chaos_ctl_sets_is_told_and_left_out_of_every_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    file = write(
        tmp_path,
        experiment(load={"users": 4, "until": "decided", "duration": "40s"}, verify={"expect": ["aborted > 45%"]}),
        virtual_service(abort=50),
    )
    result = run(file, tmp_path, view=Setter)
    assert {finding.verdict for finding in result.findings} == {Verdict.VERIFIED}
    told = [line.text for line in journal(result.folder) if isinstance(line, Event)]
    assert "by hand: web[0].abort=0; until that is undone, no verdict counts the requests" in told
    assert "what was set by hand is undone" in told
    assert any(text.endswith("requests met faults switched by hand, and no verdict counts them") for text in told)


@pytest.mark.slow
def test_a_stretch_without_faults_is_left_out_of_every_verdict(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        experiment(load={"users": 4, "until": "decided", "duration": "40s"}, verify={"expect": ["aborted > 45%"]}),
        virtual_service(abort=50),
    )
    result = run(file, tmp_path, ui="127.0.0.1:0", view=Watcher)
    lines = journal(result.folder)
    left_out = sum(
        entry["count"] for line in lines if isinstance(line, DigestLine) for entry in line.entries
        if entry["phase"] == BY_HAND
    )  # fmt: skip
    assert left_out > 100, "the faults were off for a while"
    assert BY_HAND in [line for line in lines if isinstance(line, Counters)][-1].counters["phases"]
    assert result.exit_code == 0
    assert {finding.verdict for finding in result.findings} == {Verdict.VERIFIED}
    told = [line.text for line in lines if isinstance(line, Event)]
    assert any("faults switched off in the web UI" in text for text in told)
    assert any(text.endswith("requests met faults switched by hand, and no verdict counts them") for text in told)
