"""A result is made of the journal alone, whole or cut short."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_type_hints

import pytest

from chaos.claims.finding import Finding, Tally
from chaos.errors import ExitCode, InvalidInput
from chaos.journal.records import (
    Counters,
    DigestLine,
    End,
    Event,
    Findings,
    Phase,
    Plan,
    Record,
    Sample,
    decode_lines,
    encode,
)
from chaos.journal.result import Result
from chaos.protocol.counters import GatewayCounters, RuleCounters
from chaos.protocol.digest import Digest, Key
from chaos.verify.verdict import Verdict

PLAN = Plan(
    name="abort50", file="abort50.yaml", seed=1, started="2024-05-01T12:00:00+02:00", confidence=0.99, tolerance=0.02
)  # fmt: skip
OK = Key("fault", "home", "web[0]", "web:80", 200)
ABORTED = Key("fault", "home", "web[0]", "", 400, "abort")
PAIR = ("fault", "home", "web[0]", "abort")
REFUSED = Key("baseline", "home", "", "", 0, error="refused")


def digest_line(second: int, *requests: tuple[Key, int], **more: object) -> DigestLine:
    digest = Digest()
    for key, latency in requests:
        digest.add(key, latency)
    line = DigestLine(
        at=second + 1.5, second=float(second), users=second + 5, cpu=0.2 * second, entries=tuple(digest.entries())
    )
    return replace(line, **more)  # type: ignore[arg-type]


def finding(k: int, n: int) -> Finding:
    share = k / n
    return Finding(
        id="abort", kind="abort", title="abort 400", verdict=Verdict.VERIFIED, observed=Tally(k, n), estimate=share,
        interval=(share - 0.01, share + 0.01), configured=0.5, tolerance=0.02,
    )  # fmt: skip


def journal() -> list[Record]:
    return [
        PLAN,
        Phase(at=0.4, name="baseline", event="begin", faults=False),
        digest_line(0, (REFUSED, 100), errors={"refused": 1}),
        Phase(at=1.5, name="baseline", event="end", faults=False),
        Phase(at=1.5, name="fault", event="begin"),
        digest_line(1, (OK, 1000), (OK, 2000), (ABORTED, 3000), pairs=([*PAIR, [1, 1, 0, 0]],)),
        Counters(at=2.5, counters={"unmatched": 0}),
        Findings(at=2.5, findings=(finding(1, 3).to_dict(),)),
        digest_line(2, (OK, 1000), (ABORTED, 4000), late=3, pairs=([*PAIR, [0, 1, 2, 0]],)),
        Sample(at=3.5, second=2, share=1.0, requests=(["id", "home", 400, "", "abort"],)),
        Findings(at=3.5, findings=(finding(2, 5).to_dict(),)),
        Event(at=3.6, level="info", text="decided"),
        Phase(at=3.6, name="fault", event="end"),
        End(at=3.7, outcome="verified", exit_code=0, reasons=("all verified",)),
    ]  # fmt: skip


def counted(**counts: Any) -> Mapping[str, Any]:
    """The counters of a rule, read from a journal that says this of it."""
    line = encode(Counters(counters={"phases": {"": {"web": counts}}}))  # type: ignore[typeddict-item]
    records = decode_lines([encode(PLAN) + "\n", line + "\n"])
    counters = Result.from_records(records).counters
    assert counters is not None
    return counters["phases"][""]["web"]


def test_counters_of_a_journal_lack_nothing() -> None:
    assert set(counted(requests=3)) == set(get_type_hints(RuleCounters))
    assert counted(requests=3, faults={"delay": 2})["faults"] == {"delay": 2}
    counters = Result.from_records(journal()).counters
    assert counters is not None and set(counters) == set(get_type_hints(GatewayCounters))


def test_an_older_journal_s_faults_are_counted_by_tag() -> None:
    old = counted(requests=9, delay=4, abort=6, delay_abort=3)
    assert old["faults"] == {"delay": 1, "abort": 3, "delay,abort": 3}
    assert counted(requests=9, delay=0, abort=2, delay_abort=0)["faults"] == {"abort": 2}


@pytest.mark.parametrize("old", [{"delay": "x"}, {"abort": -1}, {"delay": 1, "abort": 1, "delay_abort": 2}])
def test_an_older_journal_s_damaged_counts_are_refused(old: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="a damaged `counters` record"):
        counted(**old)


def test_a_result_has_what_the_journal_says() -> None:
    result = Result.from_records(journal())
    assert (result.outcome, result.exit_code, result.reasons, result.seconds) == ("verified", 0, ("all verified",), 3.7)
    assert {key: tally.count for key, tally in result.outcomes()} == {REFUSED: 1, OK: 3, ABORTED: 2}
    assert result.digest.pairs == {("fault", "home", "web[0]", "abort"): [1, 2, 2, 0]}
    assert result.findings == (finding(2, 5),)
    assert [(point.at, point.n, point.estimate) for point in result.history["abort"]] == [
        (2.5, 3, 1 / 3),
        (3.5, 5, 0.4),
    ]
    assert [(span.name, span.faults, span.begin, span.end, span.requests) for span in result.phases] == [
        ("baseline", False, 0.4, 1.5, 1),
        ("fault", True, 1.5, 3.6, 5),
    ]
    delivered = result.delivered
    assert (delivered.requests, delivered.seconds, delivered.rate, delivered.peak_users) == (6, 3.0, 2.0, 7)
    assert (delivered.errors, delivered.late, delivered.cpu, delivered.peak_cpu) == ({"refused": 1}, 3, 0.2, 0.4)
    assert result.sampled == 1


def test_the_time_line_has_every_stretch_with_its_percentiles() -> None:
    first, second, _ = Result.from_records(journal()).stretches
    assert (first.begin, first.end, first.requests, first.errors) == (0.5, 1.5, 1, {"refused": 1})
    assert (second.requests, second.rate, second.counts) == (3, 3.0, {OK: 2, ABORTED: 1})
    assert (second.p50, second.p99) == pytest.approx((0.002, 0.003), rel=1e-3)


def test_latencies_are_those_of_all_seconds_together() -> None:
    result = Result.from_records(journal())
    assert result.digest.tallies[OK].latency.quantiles((0.5, 1.0)) == pytest.approx([0.001, 0.002], rel=1e-3)
    assert result.digest.tallies[ABORTED].latency.total == 2


def test_the_journal_of_a_killed_run_gives_a_result() -> None:
    """Cut anywhere after the plan, in the middle of a line or between two."""
    text = "".join(encode(record) + "\n" for record in journal())
    start = text.index("\n") + 1
    for cut in range(start, len(text) - 1, 41):
        result = Result.from_records(decode_lines(text[:cut].splitlines(keepends=True)))
        assert (result.outcome, result.exit_code) == ("unfinished", ExitCode.ENVIRONMENT)
        assert "stops before" in result.reasons[0]


def test_an_open_phase_has_no_end() -> None:
    assert Result.from_records(journal()[:7]).phases[-1].end is None


def test_the_result_as_json_is_complete_and_plain() -> None:
    plain = json.loads(json.dumps(Result.from_records(journal()).to_dict(), allow_nan=False))
    assert plain["name"] == "abort50"
    assert plain["findings"][0]["observed"] == {"k": 2, "n": 5}
    assert plain["load"]["delivered"]["requests"] == 6
    aborted = next(each for each in plain["outcomes"] if each["fault"] == "abort")
    assert (aborted["status"], aborted["count"], aborted["task"]) == (400, 2, "home")
    assert aborted["latency"]["max"] == pytest.approx(0.004, rel=1e-3)
    assert [each["requests"] for each in plain["timeline"]] == [1, 3, 2]
    assert Finding.from_dict(plain["findings"][0]) == finding(2, 5)


def test_an_open_model_has_latencies_from_when_requests_were_due() -> None:
    """A closed one has none: there is nothing that they could be late for."""
    digest = Digest()
    digest.add(OK, 1000, due=5000)
    due = DigestLine(at=1.0, second=0.0, entries=tuple(digest.entries()))
    (outcome,) = Result.from_records([PLAN, due]).to_dict()["outcomes"]
    assert set(outcome["due"]) == {"p50", "p90", "p95", "p99", "p99.9"}
    assert (outcome["latency"]["p50"], outcome["due"]["p50"]) == pytest.approx((0.001, 0.005), rel=1e-3)
    assert all("due" not in each for each in Result.from_records(journal()).to_dict()["outcomes"])


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "an empty journal"),
        (journal()[1:], "begins with a `phase` record where a plan belongs"),
        ([PLAN, DigestLine(second=0, entries=({"phase": ""},))], "a damaged `digest` record: without 'task'"),
        ([PLAN, PLAN], "a damaged `plan` record: a second plan; a journal is of one run"),
        ([PLAN, Findings(findings=({"id": "x"},))], "a damaged `findings` record: without 'kind'"),
    ],
)
def test_what_makes_no_result_is_an_error_of_the_file(records: list[Record], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Result.from_records(records)


def test_time_and_memory_do_not_grow_with_requests() -> None:
    """A hundred million requests in ten seconds are ten small lines."""
    lines: list[Record] = [PLAN]
    for number in range(10):
        digest = Digest()
        for latency in range(500, 1500):
            digest.add(OK, latency)
            digest.tallies[OK].latency.add(latency, 9_999)
        lines.append(DigestLine(at=number + 1.0, second=float(number), entries=tuple(digest.entries())))
    result = Result.from_records(lines)
    assert result.delivered.requests == 10**8
    assert sum(len(encode(line)) for line in lines) < 100_000
