"""Fault injection: parts per million, independent draws, what an abort looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.mesh import by_name, decide, request, web

from chaos.faults import AbortFault, DelayFault
from chaos.mesh.compile.rules import Rules
from chaos.mesh.decision import Abort, Forward, Reply
from chaos.mesh.draws import FixedDraws
from chaos.units import Percent

ROUTE = "route: [{destination: {host: web}}]"


def faulty(fault: str, more: str = "") -> Rules:
    return web(f"- fault: {fault}\n  {ROUTE}{more}")


def abort(rules: Rules, headers: dict[str, str] | None = None) -> Reply:
    action = decide(rules, request("/", headers), FixedDraws()).action
    assert isinstance(action, Abort)
    return action.reply


BOTH = faulty("{delay: {fixedDelay: 2s, percentage: {value: 20}}, abort: {httpStatus: 503, percentage: {value: 50}}}")


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_delay_and_abort_are_drawn_independently(delay: float, abort: float) -> None:
    """The delay does not change the abort's chance, nor the abort the delay's: a request can be late and refused."""
    decision = decide(BOTH, "/", FixedDraws(delay=delay, abort=abort))
    assert decision.delay == (2.0 if delay < 0.2 else 0.0)
    assert isinstance(decision.action, Abort) is (abort < 0.5)
    assert decision.fault == ",".join(["delay"] * (delay < 0.2) + ["abort"] * (abort < 0.5))


@given(st.floats(0, 1, exclude_max=True))
def test_0_percent_never_and_100_percent_always(draw: float) -> None:
    draws = FixedDraws(delay=draw, abort=draw)
    assert isinstance(decide(NEVER, "/", draws).action, Forward)
    assert isinstance(decide(ALWAYS, "/", draws).action, Abort)


NEVER = faulty("{abort: {httpStatus: 500, percentage: {value: 0}}}")
ALWAYS = faulty("{abort: {httpStatus: 500, percentage: {value: 100}}}")

PERCENTAGES = [
    ("percentage: {value: 0.57}", 5699),  # 0.57 * 10000 is 5699.99...
    ("percentage: {value: 0.0001}", 1),
    ("percentage: {value: 12.34567}", 123456),
    ("percentage: {}", 0),
    ("percent: 30", 300_000),
    ("percent: 30, percentage: {value: 1}", 10_000),
    ("percent: 30, percentage: {}", 0),
]


@pytest.mark.parametrize(("text", "per_million"), PERCENTAGES)
def test_percentages_are_truncated_parts_per_million(text: str, per_million: int) -> None:
    rules = faulty(f"{{delay: {{fixedDelay: 1s, {text}}}}}")
    assert rules.rules[0].faults == (DelayFault(Percent(per_million), 1.0),)
    if per_million:
        assert decide(rules, "/", FixedDraws(delay=(per_million - 0.5) / 1e6)).delay == 1.0
    assert decide(rules, "/", FixedDraws(delay=(per_million + 0.5) / 1e6)).delay == 0.0


def test_without_a_percentage_a_fault_never_fires() -> None:
    rules = faulty("{delay: {fixedDelay: 1s}, abort: {httpStatus: 500}}")
    decision = decide(rules, "/", FixedDraws())
    assert (decision.delay, type(decision.action)) == (0.0, Forward)


def test_an_abort_without_a_status_is_ignored() -> None:
    assert isinstance(decide(faulty("{abort: {percentage: {value: 100}}}"), "/", FixedDraws()).action, Forward)


def test_the_answer_of_an_abort() -> None:
    reply = abort(faulty("{abort: {httpStatus: 418, percentage: {value: 100}}}"))
    assert (reply.status, reply.body) == (418, b"fault filter abort")
    assert by_name(reply.headers) == {"content-type": ["text/plain"], "content-length": ["18"], "server": ["envoy"]}


def test_the_answer_is_one_shared_object() -> None:
    rules = faulty("{abort: {httpStatus: 503, percentage: {value: 100}}}")
    first, second = (decide(rules, request(path), FixedDraws()).action for path in ("/a", "/b"))
    assert first is second


GRPC = {"content-type": "application/grpc"}
GRPC_CODES = [(400, 13), (401, 16), (403, 7), (404, 12), (429, 14), (502, 14), (503, 14), (504, 14), (200, 2), (500, 2)]


@pytest.mark.parametrize(("status", "code"), GRPC_CODES)
def test_a_grpc_client_gets_the_grpc_form(status: int, code: int) -> None:
    reply = abort(faulty(f"{{abort: {{httpStatus: {status}, percentage: {{value: 100}}}}}}"), GRPC)
    assert (reply.status, reply.body) == (200, b"")
    assert by_name(reply.headers) == {
        "content-type": ["application/grpc"],
        "grpc-status": [str(code)],
        "grpc-message": ["fault filter abort"],
        "content-length": ["0"],
        "server": ["envoy"],
    }


def test_a_grpc_status_is_200_for_other_clients() -> None:
    rules = faulty("{abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}")
    plain, grpc = abort(rules), abort(rules, {"content-type": "application/grpc+proto"})
    assert (plain.status, plain.body) == (200, b"fault filter abort")
    assert by_name(grpc.headers)["grpc-status"] == ["14"]
    assert abort(rules, {"content-type": "application/grpc-web"}).body == b"fault filter abort"


def test_response_operations_apply_to_aborts_and_see_the_bare_answer() -> None:
    rules = faulty(
        "{abort: {httpStatus: 503, percentage: {value: 100}}}",
        """
  headers:
    response:
      set: {x-set: "1", x-path: "%REQ(:path)%", x-flags: "%RESPONSE_FLAGS%", x-ct: "%RESP(content-type)%", server: me}
      remove: [content-type]""",
    )
    headers = by_name(abort(rules).headers)
    assert headers["x-set"] == ["1"]
    assert headers["x-path"] == ["/"]
    assert headers["x-flags"] == ["FI"]
    assert "x-ct" not in headers  # there is no content-type yet when operations are evaluated
    assert headers["content-type"] == ["text/plain"]
    assert headers["server"] == ["envoy"]


def test_a_fault_comes_before_the_destination_is_looked_up() -> None:
    rules = web(
        """
- fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
  route: [{destination: {host: web, subset: nosuch}}]
"""
    )
    assert abort(rules).status == 418


def test_a_preflight_may_be_aborted_and_an_abort_has_no_cors_headers() -> None:
    rules = faulty(
        "{abort: {httpStatus: 503, percentage: {value: 100}}}", "\n  corsPolicy: {allowOrigins: [{exact: http://a}]}"
    )
    preflight = request("/", {"origin": "http://a", "access-control-request-method": "GET"}, method="OPTIONS")
    action = decide(rules, preflight, FixedDraws()).action
    assert isinstance(action, Abort)
    assert not [name for name in by_name(action.reply.headers) if name.startswith("access-control")]


def test_faults_can_be_left_out() -> None:
    spared = BOTH.without_faults()
    decision = decide(spared, "/", FixedDraws())
    assert (decision.delay, type(decision.action)) == (0.0, Forward)
    assert spared.rules[0].faults == ()
    assert BOTH.rules[0].faults == (DelayFault(Percent.of(20), 2.0), AbortFault(Percent.of(50), 503))
