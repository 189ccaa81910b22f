"""The gateway's tags are read whatever their case and order; without them an abort is known by Envoy's body."""

from __future__ import annotations

import pytest

from chaos.load.tags import UNTAGGED, Tags, bodiless, from_outside, headers_of, of_head, of_headers
from chaos.protocol.digest import UNCLEAR

ALL = Tags(route="A[0]", destination="web:80/v1", fault="delay,abort", attempts=3, phase="fault")


def test_tags_in_a_head() -> None:
    tail = (
        b"x-chaos-route: A[0]\r\nX-Chaos-Fault: delay,abort\r\nserver: nginx\r\n"
        b"x-chaos-destination:web:80/v1\r\nx-chaos-attempts: 3\r\nx-chaos-phase: fault"
    )
    assert of_head(tail) == ALL


def test_tags_among_headers() -> None:
    assert of_headers([("X-Chaos-Route", "A[0]"), ("Server", "x")]) == Tags(route="A[0]")
    assert of_head(b"") == UNTAGGED
    assert UNTAGGED.phase is None


def test_attempts_that_are_no_number_are_one() -> None:
    assert of_headers([("x-chaos-attempts", "many")]).attempts == 1


def test_an_abort_without_tags_is_known_by_its_body() -> None:
    assert from_outside(UNTAGGED, [], b"fault filter abort", False).fault == "abort"
    assert from_outside(UNTAGGED, [], b"fault filter ab", False).fault == ""
    assert from_outside(UNTAGGED, [], None, False).fault == ""
    assert from_outside(ALL, [], b"fault filter abort", False) == ALL


def test_an_abort_of_a_grpc_call_is_known_by_its_message() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\ngrpc-status: 14\r\ngrpc-message: fault filter abort"
    assert from_outside(UNTAGGED, headers_of(head), b"", False).fault == "abort"
    assert from_outside(UNTAGGED, headers_of(head.replace(b"abort", b"about")), b"", False).fault == ""
    assert from_outside(UNTAGGED, [("grpc-message", "fault filter abort")], b"", False).fault == ""


def test_which_responses_have_no_body() -> None:
    assert bodiless("HEAD", 200) and bodiless("GET", 304) and bodiless("GET", 204)
    assert not bodiless("GET", 200)


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ("content-length: 18, content-type: text/plain, server: envoy", "abort"),
        ("Content-Length: 18, Content-Type: text/plain, Server: istio-envoy", "abort"),
        ("content-length: 18, content-type: text/plain, server: envoy, x-envoy-upstream-service-time: 3", ""),
        ("content-length: 18, content-type: text/html, server: envoy", UNCLEAR),
        ("content-length: 18, content-type: text/plain, server: nginx", UNCLEAR),
        ("content-length: 17, content-type: text/plain, server: envoy", ""),
        ("content-type: text/plain, server: envoy", UNCLEAR),
        ("server: nginx, x-envoy-upstream-service-time: 3", ""),
    ],
)
def test_without_a_body_the_head_tells_or_nobody_does(headers: str, fault: str) -> None:
    found = [(name, value) for name, _, value in (each.partition(":") for each in headers.split(", "))]
    assert from_outside(UNTAGGED, found, None, True).fault == fault
    assert from_outside(UNTAGGED, found, b"", True).fault == fault
