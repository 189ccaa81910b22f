"""The live page of a whole run: what it shows is what the journal says, and its last word is the verdict."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.experiments import experiment, journal, run, virtual_service, write

from chaos.journal.merge import Merger
from chaos.journal.records import DigestLine, Event, Findings, Phase
from chaos.protocol.histogram import Histogram
from chaos.protocol.live_state import LivePoint, LiveState
from chaos.runner.terminal.view import View

pytestmark = pytest.mark.slow


class Page(View):
    """Someone who has the page open: it asks for one document after the other, as its script does."""

    def __init__(self) -> None:
        self.states: list[LiveState] = []
        self.report = ""
        self.thread: threading.Thread | None = None

    def event(self, level: str, text: str) -> None:
        if text.startswith("the live page is at "):
            self.thread = threading.Thread(target=self.follow, args=(text.rpartition(" ")[2],), daemon=True)
            self.thread.start()

    def follow(self, url: str) -> None:
        number = 0
        while not self.states or self.states[-1]["stage"] != "over":
            state = self.get(f"{url}/chaos/live?after={number}&page=mine")
            self.states.append(state)
            number = state["number"]
        urllib.request.urlopen(f"{url}/chaos/seen?page=mine", b"{}", timeout=10).close()

    def get(self, url: str) -> Any:
        with urllib.request.urlopen(url, timeout=30) as response:
            return json.load(response)


def test_its_numbers_are_the_journals_at_the_same_second(tmp_path: Path) -> None:
    phases = [
        {"name": "before", "faults": False, "duration": "1s"},
        {"name": "fault", "duration": "2s"},
    ]
    load = {"users": 4, "tasks": [{"get": "http://web/"}, {"get": "http://web/cart"}]}
    page = Page()
    file = write(tmp_path, experiment(load=load, phases=phases), virtual_service(abort=50))
    result = run(file, tmp_path, live="127.0.0.1:0", view=lambda: page)
    assert page.thread is not None
    page.thread.join(10)
    lines = journal(result.folder)
    last = page.states[-1]

    findings = {line.at: line.findings for line in lines if isinstance(line, Findings)}
    same = [state for state in page.states if state["judged"] in findings]
    assert last in same, "the journal has the last findings, if not all"
    for state in same:
        assert [(claim["id"], claim["verdict"], claim["sentence"]) for claim in state["claims"]] == [
            (each["id"], each["verdict"], each["sentence"]) for each in findings[state["judged"]]
        ]
        for claim, finding in zip(state["claims"], findings[state["judged"]], strict=True):
            if claim["trail"] and claim["trail"][-1][0] == state["judged"]:
                numbers = (*finding["interval"], finding["estimate"])
                assert claim["trail"][-1][1:] == pytest.approx(numbers, rel=1e-5)

    digests = [line for line in lines if isinstance(line, DigestLine)]
    assert sum(point["requests"] for point in last["points"]) == result.requests == last["requests"]
    for points, mine in groups(last["points"], digests):
        told = of_tasks(mine)
        assert sum(point["requests"] for point in points) == sum(counted for counted, *_ in told.values())
        assert len(points) > 1 or points[0]["tasks"] == told
    tasks = {task["name"]: [task["requests"], task["p50"], task["p99"]] for task in last["tasks"]}
    assert tasks == of_tasks(digests)

    events = [(line.level, line.text) for line in lines if isinstance(line, Event)]
    assert [(event["level"], event["text"]) for event in last["events"]] == events
    begun = [(line.name, line.at) for line in lines if isinstance(line, Phase) and line.event == "begin"]
    assert [(phase["name"], phase["begin"]) for phase in last["phases"]] == begun
    assert last["end"] is not None
    assert (last["end"]["outcome"], last["end"]["exit_code"]) == (result.outcome, int(result.exit_code))
    assert "running" in {state["stage"] for state in page.states}


def groups(points: list[LivePoint], digests: list[DigestLine]) -> Iterator[tuple[list[LivePoint], list[DigestLine]]]:
    """Yield points with the journal's lines of the same time: mostly one point and two lines; more where the journal
    has combined a short digest with one of the next second."""
    lines, mine = list(digests), list[LivePoint]()
    for point in points:
        mine.append(point)
        end = point["second"] + point["seconds"] - 0.002
        theirs = [line for line in lines if line.second < end]
        if point is points[-1] or all(line.second + line.seconds < end + 0.004 for line in theirs):
            yield mine, theirs
            lines, mine = lines[len(theirs) :], []


def of_tasks(lines: list[DigestLine]) -> dict[str, list[float]]:
    """`[requests, p50, p99]` by task, as the journal has them."""
    merger, whole = Merger(), dict[str, Histogram]()
    for line in lines:
        merger.push(line.entries)
    for key, tally in merger.digest().items():
        whole.setdefault(key.task, Histogram()).merge(tally.latency)
    return {task: [latency.total, *latency.quantiles((0.5, 0.99))] for task, latency in whole.items()}
