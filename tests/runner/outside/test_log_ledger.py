"""The run's own requests in an access log: whose lines they are, in which order they count, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from support.access_log import CLUSTER, OTHER, aborted, entry, ids, line

from chaos.protocol.counters import LogInfo, RuleCounters
from chaos.runner.outside.ledger import LogLedger, Taken

KEY, WEB, ELSE = (
    "virtualservice/default/web/0",
    "web.default.svc.cluster.local:80",
    "other.default.svc.cluster.local:80",
)
SEED = 7


def ledger(processes: int = 1, patience: float = 5.0, **taken: Any) -> LogLedger:
    made = LogLedger([Taken(KEY, "web[0]", **taken)], (1.0,), seed=SEED, processes=processes, patience=patience)
    made.sent(100)
    return made


def of(made: LogLedger) -> RuleCounters:
    return made.counters()["phases"][""][KEY]


def log(made: LogLedger) -> LogInfo:
    return made.counters()["log"]


def write(made: LogLedger, entries: Iterable[dict[str, Any]], now: float = 1.0) -> LogLedger:
    for each in entries:
        made.line(line(each), now)
    made.advance(now)
    return made


def test_what_became_of_each_request_is_counted() -> None:
    a, b, c, d, e = ids(SEED, 5)
    made = write(
        ledger(),
        [
            entry(a),
            aborted(b, "DI,FI"),
            entry(c, upstream_cluster=OTHER, upstream_request_attempt_count=3, response_flags="DI"),
            entry(d, "UF,URX", response_code=503, response_code_details="upstream_reset_before_response_started"),
            entry(e, "DC", response_code=0, response_code_details="downstream_remote_disconnect"),
        ],
    )
    counts = of(made)
    assert counts["requests"] == 5 and counts["faults"] == {"delay,abort": 1, "delay": 1}
    assert counts["destinations"] == {WEB: 3, ELSE: 1} and counts["tries"] == {"1": 3, "3": 1}
    assert (counts["forwarded"], counts["answered"], counts["failures"]) == (4, 2, {"UF": 1})
    assert counts["left"] == {"": 1} and counts["left_to"] == {WEB: 1}
    assert counts["statuses"] == {"200": 2, "503": 2, "0": 1} and "unlogged" not in counts


def test_lines_of_others_are_left_alone() -> None:
    (mine,) = ids(SEED, 1)
    made = ledger()
    for other in (b"not json", b"[1]", b'{"level": "info"}', b'{"response_code": "x"}', line(entry("another"))):
        made.line(other, 1.0)
    write(made, [entry(mine, upstream_cluster="inbound|80||"), entry(mine), entry(mine)])
    assert of(made)["requests"] == 1 and (made.lines, made.found) == (8, 1)


def test_an_id_is_known_in_whose_version_envoy_writes_why_it_traces() -> None:
    (mine,) = ids(SEED, 1)
    assert mine[14] == "4"
    assert of(write(ledger(), [entry(f"{mine[:14]}9{mine[15:].upper()}")]))["requests"] == 1


@pytest.mark.parametrize("processes", [1, 3])
def test_a_request_counts_when_all_before_it_are_over(processes: int) -> None:
    """Of each load process by itself: one that is slow holds nobody else up."""
    sent = ids(SEED, 12)
    made = write(ledger(processes), [entry(each) for number, each in enumerate(sent) if number != 3])
    assert of(made)["requests"] == (3 if processes == 1 else 9)
    assert of(write(made, [entry(sent[3])], now=2.0))["requests"] == 12


def test_one_that_others_have_waited_for_is_unlogged_until_its_line_comes() -> None:
    sent = ids(SEED, 20)
    made = write(ledger(patience=5.0), [entry(each) for number, each in enumerate(sent) if number not in (2, 3, 9)])
    made.advance(5.9)
    assert of(made)["requests"] == 2
    made.advance(6.1)
    assert (of(made)["requests"], of(made)["unlogged"]) == (17, 3)
    write(made, [entry(sent[3])], now=7.0)
    assert (of(made)["requests"], of(made)["unlogged"]) == (18, 2)


def test_at_the_end_whatever_was_sent_and_has_no_line_is_unlogged() -> None:
    sent = ids(SEED, 10)
    made = write(ledger(), [entry(each) for number, each in enumerate(sent) if number not in (2, 9)])
    made.finish({KEY: 10})
    assert (of(made)["requests"], of(made)["unlogged"], log(made)["final"]) == (8, 2, True)


def test_a_line_may_come_before_the_load_has_told_of_its_request() -> None:
    late = ids(SEED, 20_000)
    made = write(ledger(), [entry(each) for each in late])
    assert made.found < len(late)
    made.sent(20_000)
    made.advance(1.0)
    assert of(made)["requests"] == 20_000


def test_one_process_may_send_nearly_all() -> None:
    """The other one was lost: of two processes one has sent the even numbers alone."""
    even = ids(SEED, 60_000)[::2]
    made = write(ledger(processes=2), [entry(each) for each in even])
    made.sent(len(even))
    made.advance(1.0)
    assert of(made)["requests"] > 0.9 * len(even)
    made.finish({KEY: len(even)})
    assert of(made)["requests"] == len(even) and "unlogged" not in of(made)


def test_requests_of_other_tasks_are_not_the_rules() -> None:
    made = LogLedger([Taken(KEY, "web[0]"), None], (0.5, 1.0), seed=SEED, processes=1, patience=5.0)
    made.sent(400)
    counts = of(write(made, [entry(each) for each in ids(SEED, 400)]))
    assert 150 < counts["requests"] < 250


def test_a_delay_that_was_not_taken_is_none() -> None:
    a, b = ids(SEED, 2)
    made = write(ledger(least=0.05), [entry(a, "DI", duration=48), entry(b, "DI", duration=51)])
    assert of(made)["faults"] == {"delay": 1}


def test_the_abort_of_a_client_that_left_during_its_delay_is_unknown() -> None:
    (mine,) = ids(SEED, 1)
    gone = entry(
        mine, "DI,DC", response_code=0, upstream_host=None, upstream_request_attempt_count=0, upstream_service_time=None
    )
    counts = of(write(ledger(aborts=True), [gone]))
    assert counts["undrawn"] == {"abort": 1} and counts["forwarded"] == 0


def test_a_format_without_attempts_says_so() -> None:
    (mine,) = ids(SEED, 1)
    value = entry(mine)
    del value["upstream_request_attempt_count"]
    made = write(ledger(), [value])
    assert log(made)["attempts"] is False and of(made)["tries"] == {}
    assert log(write(ledger(), [entry(mine)]))["attempts"] is True


def test_a_cluster_that_is_not_istios_is_named() -> None:
    assert log(write(ledger(), [entry(ids(SEED, 1)[0], upstream_cluster="web")]))["foreign"] == "web"
    assert log(write(ledger(), [entry(ids(SEED, 1)[0], upstream_cluster=CLUSTER)]))["foreign"] == ""


@pytest.mark.parametrize(
    ("lines", "trouble"),
    [
        ([], "has had no new line"),
        ([b"[2026-11-30] GET / 200", b"{}"], "of 2 new lines of the access log none is Envoy's in JSON"),
        ([json.dumps({"response_code": 200}).encode()], "have no request_id (%REQ(X-REQUEST-ID)%)"),
        ([line(entry("0f0e-4"))], "none of 1 lines of the access log has the id of a request of this run"),
    ],
)
def test_a_log_that_tells_nothing_says_why_at_the_end(lines: list[bytes], trouble: str) -> None:
    made = ledger()
    for each in lines:
        made.line(each, 1.0)
    assert log(made)["trouble"] == ""
    made.finish({KEY: 50})
    assert trouble in log(made)["trouble"]
