"""The gateway's tags are read whatever their case and order; without them an abort is known by Envoy's body."""

from __future__ import annotations

from chaos.load.shared import with_abort_by_body
from chaos.load.tags import UNTAGGED, Tags, of_head, of_headers

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
    assert with_abort_by_body(UNTAGGED, b"fault filter abort").fault == "abort"
    assert with_abort_by_body(UNTAGGED, b"fault filter ab").fault == ""
    assert with_abort_by_body(UNTAGGED, None).fault == ""
    assert with_abort_by_body(ALL, b"fault filter abort") == ALL
