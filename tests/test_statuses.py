"""`chaos.statuses`: HTTP's statuses and gRPC's in one number, of which nobody takes the one for the other."""

from __future__ import annotations

import pytest

from chaos.statuses import CODES, GRPC, MOST, as_met, failed, is_met, of_grpc, of_grpc_name, shown


def test_no_grpc_status_is_one_of_http() -> None:
    """All statuses of both are different numbers, and shown differently."""
    both = [*range(600), *map(of_grpc, CODES.values())]
    assert len(set(map(shown, both))) == len(both) and max(both) <= MOST


@pytest.mark.parametrize(
    ("status", "text"),
    [(200, "200"), (GRPC, "gRPC OK"), (of_grpc(14), "gRPC UNAVAILABLE"), (of_grpc(77), "gRPC 77")],
)
def test_statuses_are_shown_by_name(status: int, text: str) -> None:
    """A number that gRPC has no name for is shown as it is."""
    assert shown(status) == text


def test_names() -> None:
    assert of_grpc_name("UNAVAILABLE") == of_grpc(14) and of_grpc_name("unavailable") is None


@pytest.mark.parametrize(("status", "bad"), [(0, True), (200, False), (404, True), (GRPC, False), (of_grpc(1), True)])
def test_a_call_that_is_not_ok_has_failed(status: int, bad: bool) -> None:
    """Although its HTTP status is 200."""
    assert failed(status) is bad


@pytest.mark.parametrize(
    ("status", "http", "grpc"),
    [(503, 503, of_grpc(14)), (400, 400, of_grpc(13)), (418, 418, of_grpc(2)), (of_grpc(5), 200, of_grpc(5))],
)
def test_each_kind_of_client_meets_an_abort_in_its_own_way(status: int, http: int, grpc: int) -> None:
    """Envoy maps the status of HTTP; an abort with a gRPC status is a plain 200 to HTTP."""
    assert (as_met(status, False), as_met(status, True)) == (http, grpc)
    assert is_met(status, http) and is_met(status, grpc) and not is_met(status, of_grpc(16))
