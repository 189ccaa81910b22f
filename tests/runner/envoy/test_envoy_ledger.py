"""The counts from Envoy's access log: whole cohorts, in the ledgers of our own gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaos.engines.envoy.access_log import Connection, Started, read_line
from chaos.engines.envoy.measured import Generation
from chaos.faults import AbortFault, DelayFault
from chaos.runner.envoy.ledger import EnvoyLedger
from chaos.samples.envoy_line import Ended
from chaos.statuses import of_grpc
from chaos.units import Percent

KEY = "virtualservice/default/web/0"
HALF = Percent.of(50)
BOTH = Generation(3, "fault", {KEY: (DelayFault(HALF, 2.0), AbortFault(HALF, 503))})
ONLY_LATE = Generation(4, "", {KEY: (DelayFault(HALF, 2.0),)})
CLUSTER = "outbound|80|v1|web.default.svc.cluster.local"


def ledger(*generations: Generation) -> EnvoyLedger:
    made = EnvoyLedger([(KEY, "web[0]")])
    for each in generations:
        made.know(each)
    return made


def ended(request_id: str, *flags: str, **more: Any) -> Ended:
    fields: dict[str, Any] = {
        "route": "3/0", "status": 200, "details": "via_upstream", "attempts": 1, "cluster": CLUSTER,
        "method": "GET", "path": "/", "time": 3.0,
    }  # fmt: skip
    return Ended(id=request_id, flags=frozenset(flags), **{**fields, **more})


def aborted(request_id: str, *flags: str) -> Ended:
    return ended(request_id, "FI", *flags, status=503, details="fault_filter_abort", attempts=0, time=None)


def left(request_id: str, *flags: str, **more: Any) -> Ended:
    details = "downstream_remote_disconnect"
    return ended(request_id, "DC", *flags, **{"status": 0, "details": details, "attempts": 0, "time": None, **more})


def test_a_request_counts_once_all_that_began_before_it_are_over() -> None:
    """Else the delays of the last seconds would be missing for as long as a run lasts."""
    made = ledger(BOTH)
    for name in ("late", "quick"):
        made.started(Started(name, "web"))
    made.over(ended("quick"))
    assert made.as_json() == {} and made.ended == 1
    made.over(ended("late", "DI"))
    counts = made.as_json()["fault"][KEY]
    assert (counts["requests"], counts["faults"], counts["delay_seconds"]) == (2, {"delay": 1}, 2.0)


def test_what_happened_to_a_request_is_counted_as_the_gateway_counts_it() -> None:
    made = ledger(BOTH)
    for said in (
        ended("a"),
        aborted("b"),
        aborted("c", "DI"),
        ended("d", "UF", "URX", details="x", attempts=3, status=503),
    ):
        made.started(Started(said.id, "web:80"))
        made.over(said)
    counts = made.as_json()["fault"][KEY]
    label = "web.default.svc.cluster.local:80/v1"
    assert counts["faults"] == {"abort": 1, "delay,abort": 1}
    assert (counts["forwarded"], counts["answered"], counts["failures"]) == (2, 1, {"UF": 1})
    assert (counts["destinations"], counts["tries"], counts["statuses"]) == (
        {label: 2}, {"1": 1, "3": 1}, {"200": 1, "503": 3},
    )  # fmt: skip
    assert (counts["upstream_requests"], counts["upstream_times"]) == (4, {"0.005": 1 + 1})
    told = made.faulted.since(0)
    assert [(each["id"], each["fault"], each["authority"], each["phase"]) for each in told] == [
        ("b", "abort", "web:80", "fault"), ("c", "delay,abort", "web:80", "fault"),
    ]  # fmt: skip


def test_the_abort_of_a_client_that_left_during_the_delay_is_unknown() -> None:
    """Envoy draws it afterwards. Where the rule has no abort there is nothing to be unknown."""
    made = ledger(BOTH, ONLY_LATE)
    for said in (left("a", "DI"), left("b"), left("c", "DI", route="4/0")):
        made.started(Started(said.id, "web"))
        made.over(said)
    both, late = made.as_json()["fault"][KEY], made.as_json()[""][KEY]
    assert (both["left"], both["undrawn"], both["left_to"]) == ({"delay": 1, "": 1}, {"abort": 1}, {CLUSTER_LABEL: 1})
    assert "undrawn" not in late and late["left_to"] == {CLUSTER_LABEL: 1}


CLUSTER_LABEL = "web.default.svc.cluster.local:80/v1"


def test_what_no_rule_takes_is_counted_apart() -> None:
    made = ledger(BOTH)
    for said in (
        ended("a", route="3/-", cluster=None, status=404),
        ended("b", "NR", route="", cluster=None, status=400),
    ):
        made.started(Started(said.id, "web"))
        made.over(said)
    assert made.unmatched == 2 and made.as_json() == {"fault": {}}


def test_the_lines_of_the_log_are_read_and_others_left_alone() -> None:
    assert read_line(b"S web:80 an id with spaces\n") == Started("an id with spaces", "web:80")
    assert read_line(b"something else\n") is None and read_line(b"[1]\n") is None and read_line(b"{}\n") is None
    line = (
        b'{"request_id":"a","route_name":null,"response_flags":"-","response_code":200,"response_code_details":null,'
        b'"upstream_request_attempt_count":0,"upstream_cluster":null,"method":"GET","path":"/",'
        b'"upstream_service_time":"7"}\n'
    )
    found = read_line(line)
    assert isinstance(found, Ended) and (found.flags, found.route, found.time) == (frozenset(), "", 7.0)


LINES = [
    (b"C 0 7 TcpUpstreamConnected - outbound|80|v1|web.default.svc.cluster.local\n", False, frozenset(), CLUSTER),
    (b"C 0 7 TcpConnectionEnd UF,URX -\n", True, frozenset({"UF", "URX"}), None),
]


@pytest.mark.parametrize(("line", "over", "flags", "cluster"), LINES)
def test_a_connection_is_told_when_it_has_arrived_and_when_it_is_over(
    line: bytes, over: bool, flags: frozenset[str], cluster: str | None
) -> None:
    assert read_line(line) == Connection("7", "0", over, flags, cluster)


def test_a_connection_counts_once_when_it_has_arrived_or_has_ended_without() -> None:
    made = ledger(BOTH)
    for name in ("1", "2"):
        made.connection(Connection(name, "0", False, frozenset(), CLUSTER), "fault")
    for name in ("2", "1"):
        made.connection(Connection(name, "0", True, frozenset(), CLUSTER), "later")
    made.connection(Connection("3", "0", True, frozenset({"UF"}), CLUSTER), "later")
    made.connection(Connection("4", "-", True, frozenset({"NC"}), None), "later")
    first, later = made.as_json()["fault"][KEY], made.as_json()["later"][KEY]
    label = "web.default.svc.cluster.local:80/v1"
    assert (first["requests"], first["destinations"], first["answered"]) == (2, {label: 2}, 2)
    assert (later["requests"], later["destinations"], later["failures"]) == (1, {label: 1}, {"UF": 1})
    assert (made.connections, made.unmatched) == (4, 1)


@pytest.mark.parametrize(
    ("kind", "status", "grpc", "counted"),
    [
        ("application/grpc", 200, 14, of_grpc(14)),
        ("application/grpc+proto", 200, 0, of_grpc(0)),
        ("application/grpc", 503, 14, of_grpc(14)),
        ("application/grpc", 0, 2, 0),
        ("application/grpc-web", 200, 2, 200),
        (None, 200, 2, 200),
        ("text/plain", 503, 14, 503),
    ],
)
def test_a_call_is_counted_with_its_own_status(kind: str | None, status: int, grpc: int, counted: int) -> None:
    """Envoy says a gRPC status of every response; only clients of gRPC act on it."""
    line = {
        "request_id": "a", "route_name": "3/0", "response_flags": "-", "response_code": status,
        "grpc_status_number": grpc, "content_type": kind, "response_code_details": "via_upstream",
        "upstream_request_attempt_count": 1, "upstream_cluster": CLUSTER, "method": "POST", "path": "/shop.Echo/Say",
        "upstream_service_time": "3",
    }  # fmt: skip
    said = read_line(json.dumps(line).encode())
    assert isinstance(said, Ended) and said.status == counted
