"""The live page's document says what the journal says, and stays small."""

from __future__ import annotations

import json
from dataclasses import replace

from support.journals import Scenario, records

from chaos.claims.finding import Finding
from chaos.journal.records import Counters, DigestLine, End, Event, Findings, Phase, Plan, Record
from chaos.protocol.digest import BY_HAND, Digest, Key
from chaos.protocol.live_state import LiveState
from chaos.runner.live.state import MOST_CLAIMS, MOST_EVENTS, MOST_STEPS, MOST_TRAILS, Document

PHASES = (("before", False, 0.3), ("fault", True, 0.7))


def document(lines: list[Record]) -> Document:
    made = Document()
    for line in lines:
        made.observe(line)
    return made


def of(lines: list[Record]) -> LiveState:
    return document(lines).state()


def test_its_numbers_are_the_journals() -> None:
    lines = records(Scenario(phases=PHASES, seconds=20, requests=8000))
    state = of(lines)
    last = [line for line in lines if isinstance(line, Findings)][-1].findings
    shown = [(claim["id"], claim["verdict"], claim["sentence"]) for claim in state["claims"]]
    assert shown == [(each["id"], each["verdict"], each["sentence"]) for each in last]
    (claim,) = state["claims"]
    assert claim["trail"][-1][1:] == [float(f"{value:.6g}") for value in (*last[0]["interval"], last[0]["estimate"])]
    assert claim["band"] == [0.48, 0.52]
    digests = [line for line in lines if isinstance(line, DigestLine)]
    assert state["requests"] == sum(entry["count"] for line in digests for entry in line.entries)
    assert state["points"][-1]["requests"] == sum(entry["count"] for entry in digests[-1].entries)
    assert state["users"] == digests[-1].users


def test_it_follows_the_run_from_its_start_to_its_end() -> None:
    lines = records(Scenario(phases=PHASES))
    made, stages = Document(), []
    for line in lines:
        made.observe(line)
        stages.append(made.state()["stage"])
    assert list(dict.fromkeys(stages)) == ["starting", "running", "ending"]
    state = made.state()
    assert state["number"] == len(lines) + 1
    assert [(phase["name"], phase["faults"]) for phase in state["phases"]] == [("before", False), ("fault", True)]
    assert state["phases"][0]["end"] == state["phases"][1]["begin"]
    assert state["end"] == {"outcome": lines[-1].outcome, "exit_code": lines[-1].exit_code, "reasons": [], "report": ""}
    assert state["events"] == [{"at": 0.4, "level": "info", "text": "webserver is ready on 127.0.0.1:9001"}]
    json.dumps(state, allow_nan=False)


def test_a_rule_has_three_ledgers() -> None:
    lines = records(Scenario())
    (rule,) = of(lines)["rules"]
    (fault,) = rule["faults"]
    last = [line for line in lines if isinstance(line, Findings)][-1]
    finding = Finding.from_dict(last.findings[0])
    assert (rule["name"], fault["kind"]) == ("webserver[0]", "abort")
    assert finding.observed is not None
    assert fault["observed"] == f"{finding.observed.k / finding.observed.n * 100:.1f}\u202f% of 10\u202f000"
    assert fault["drawn"].endswith("% of 10\u202f000")


def test_a_policy_stands_beside_the_rules_with_the_same_ledgers() -> None:
    lines = records(Scenario(phases=PHASES, seconds=20, requests=8000))
    plan, last = (next(line for line in lines if isinstance(line, kind)) for kind in (Plan, Counters))
    effect = {"key": "policy/cut", "name": "cut", "kind": "reset", "share": 0.3, "phase": "fault", "on": True}
    met = {"targeted": 100, "met": 31, "full": 0, "left": 0, "left_met": 0}
    counters = {**last.counters, "policies": {"fault": {"cut": met}}}
    more = [replace(plan, policies=(effect,)), replace(last, counters=counters)]  # type: ignore[arg-type]
    rule = of([*lines, *more])["rules"][-1]
    (fault,) = rule["faults"]
    assert (rule["key"], fault["kind"], fault["configured"]) == ("policy/cut", "reset", "30\u202f%")
    assert fault["drawn"].replace("\u202f", "") == "31.0% of 100"


def test_what_is_switched_by_hand_is_counted_apart() -> None:
    digest = Digest()
    for _ in range(7):
        digest.add(Key(BY_HAND, "home", "web[0]", "", 200), 1000)
    lines = records(Scenario(ended=False))
    lines.append(DigestLine(at=20.0, second=19.0, entries=tuple(digest.entries())))
    counters = next(line for line in lines if isinstance(line, Counters))
    lines.append(replace(counters, counters={**counters.counters, "by_hand": ["web[0].abort=0"]}))
    state = of(lines)
    assert (state["left_out"], state["by_hand"]) == (7, ["web[0].abort=0"])


def test_a_run_of_any_length_has_a_small_document() -> None:
    """Claims by the hundred, judged a thousand times, and events without end."""
    plan = next(line for line in records(Scenario()) if isinstance(line, Plan))
    made = document([plan, Phase(at=1.0, name="", event="begin")])
    claims = [{"id": f"c{n}", "kind": "abort", "title": f"abort {n}", "verdict": "inconclusive"} for n in range(300)]
    for step in range(1, 1001):
        counted = {"observed": {"k": step, "n": 2 * step}, "interval": [0.4, 0.6], "estimate": 0.5, "configured": 0.5}
        made.observe(
            Findings(
                at=1.0 + step, findings=tuple({**claim, **counted} for claim in claims[: 3 if step % 100 else 300])
            )
        )
        made.observe(Event(at=1.0 + step, level="info", text="x" * 5000))
    state = made.state()
    assert len(state["events"]) == MOST_EVENTS
    assert (len(state["claims"]), state["more_claims"]) == (MOST_CLAIMS, 100)
    trails = [claim["trail"] for claim in state["claims"] if claim["trail"]]
    assert len(trails) == MOST_TRAILS
    assert len(trails[0]) <= MOST_STEPS
    assert (trails[0][0][0], trails[0][-1][0]) == (2.0, 1001.0), "it begins where the claim did, and ends now"
    assert len(json.dumps(state)) < 500_000


def test_the_end_of_a_run_that_failed_is_told() -> None:
    state = of(
        [*records(Scenario(ended=False)), End(at=9.0, outcome="environment-failed", exit_code=5, reasons=("no",))]
    )
    assert state["end"] is not None
    assert (state["end"]["outcome"], state["end"]["reasons"]) == ("environment-failed", ["no"])
