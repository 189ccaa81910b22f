"""Documents of the live page, from journals of runs that never happened."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chaos.journal.records import Counters, End, Event
from chaos.protocol.live_state import LiveState
from chaos.runner.live.state import Document
from support.journals import RULE, Scenario, records

SCENARIO = Scenario(
    name="twophases",
    seconds=16,
    requests=8000,
    phases=(("baseline", False, 0.4), ("fault", True, 0.6)),
    tasks=("GET http://webserver/", "cart"),
    delay_share=0.2,
    delay=0.05,
    ended=False,
)


def states(scenario: Scenario = SCENARIO, **end: Any) -> tuple[LiveState, LiveState]:
    """The document of a run that goes on, with a fault set by hand, and the last one, of the same run."""
    made = Document()
    for line in records(scenario):
        if isinstance(line, Counters):
            line = replace(line, counters={**line.counters, "by_hand": ["webserver[0].abort=0"]})
        made.observe(line)
    made.observe(Event(level="warning", text="by hand: <b>webserver[0].abort=0</b>"))
    running = made.state()
    made.observe(End(at=20.0, outcome="verified", exit_code=0, **end))
    made.stage = "over"
    return running, made.state()


def faults(*, enabled: bool = True, abort: float = 50.0, delay: float = 20.0) -> dict[str, Any]:
    """What the gateway says of them (`GET /faults`)."""
    configured = {"abort": 50.0, "delay": 20.0, "fixedDelay": "50ms"}
    rule = {
        "key": RULE, "name": "webserver[0]", "where": "", "hosts": ["webserver"],
        "levels": {**configured, "abort": abort, "delay": delay}, "configured": configured,
    }  # fmt: skip
    by_hand = [] if abort == 50.0 else [f"webserver[0].abort={abort:g}"]
    return {"enabled": enabled, "by_hand": by_hand, "rules": [rule]}
