"""Whoever watches a run may switch its faults off in the web UI. What happens meanwhile is no evidence."""

from __future__ import annotations

import json
import queue
import threading
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

KEY = "virtualservice/default/web/0"


SWITCHES = [
    ({"enabled": False}, {"enabled": True}, "faults off"),
    ({"rule": KEY, "levels": {"abort": 0}}, {"rule": KEY}, "web[0].abort=0"),
]
UNDONE = "what was set by hand is undone"


class Watcher(View):
    """Someone who starts the load in the web UI, switches all faults off and those of a rule, and each on again when
    the run has told of it."""

    def __init__(self) -> None:
        self.told: queue.Queue[str] = queue.Queue()

    def event(self, level: str, text: str) -> None:
        if text.startswith("Locust's web UI is at "):
            threading.Thread(target=self.switch, args=(text.rpartition(" ")[2],), daemon=True).start()
        if text.startswith("by hand: ") or text == UNDONE:
            self.told.put(text)

    def switch(self, url: str) -> None:
        self.send(f"{url}/swarm", b"user_count=4&spawn_rate=100", {})
        for off, on, by_hand in SWITCHES:
            for wanted, told in ((off, f"by hand: {by_hand}"), (on, UNDONE)):
                self.send(f"{url}/chaos/faults", json.dumps(wanted).encode(), {"content-type": "application/json"})
                assert self.told.get(timeout=20).startswith(told)

    def send(self, url: str, body: bytes, headers: dict[str, str]) -> None:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as response:
            assert response.status == 200


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
    """All of them switched in the web UI, or those of one rule; each is told once."""
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
    for _, _, by_hand in SWITCHES:
        said = [text for text in told if by_hand in text]
        assert said == [f"by hand: {by_hand}; until that is undone, no verdict counts the requests"], "once"
    assert told.count(UNDONE) == len(SWITCHES)
    assert any(text.endswith("requests met faults switched by hand, and no verdict counts them") for text in told)


@pytest.mark.slow
def test_an_applications_responses_are_left_out_while_faults_are_set_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have no tag: without the aborts, which are off for the first 2 000 calls, too few would fail."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    services = {"web": {"builtin": "webserver"}, "shop": {"builtin": "proxy", "url": "http://web"}}
    load = {"users": 4, "until": "decided", "duration": "40s", "tasks": [{"get": "http://shop/"}]}
    file = write(
        tmp_path,
        experiment(services=services, load=load, verify={"expect": ["failures > 45%"]}),
        virtual_service(abort=50),
    )
    result = run(file, tmp_path, view=Setter)
    found = next(each for each in result.findings if each.title == "failures > 45%")
    assert found.verdict is Verdict.VERIFIED and found.estimate == pytest.approx(0.5, abs=0.05)
    left_out = sum(
        entry["count"] for line in journal(result.folder) if isinstance(line, DigestLine) for entry in line.entries
        if entry["phase"] == BY_HAND
    )  # fmt: skip
    assert left_out >= 1500
