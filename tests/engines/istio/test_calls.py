"""Calls that the proxies of a mesh count, as Prometheus tells of them."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.engines.istio.calls import Calls, Series, calls_between, query, series_of

WEB = "web.shop.svc.cluster.local"


def answer(*counters: tuple[str, str, float], at: float = 5.0) -> dict[str, Any]:
    """The answer of an instant query: pod, flags and value of each counter."""
    result = [
        {"metric": {"destination_service": WEB, "pod": pod, "response_flags": flags}, "value": [at, str(value)]}
        for pod, flags, value in counters
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def series(*counters: tuple[str, str, float]) -> Series:
    return series_of(answer(*counters))[0]


def test_what_counters_have_grown_by_is_counted() -> None:
    """A new one counts from 0, as does one that was reset; one that is gone has told all that it will."""
    before = series(("a", "-", 10), ("a", "FI", 4), ("gone", "FI", 9), ("reset", "-", 7))
    after = series(("a", "-", 15), ("a", "FI", 7), ("b", "DI,FI", 2), ("b", "DI", 1), ("reset", "-", 3))
    assert calls_between(before, after, {WEB}) == Calls(aborted=5, delayed=3, total=14)
    assert calls_between(before, after, {"other"}) == Calls(0, 0, 0)
    assert Calls(5, 3, 14).faulted("abort") == 5 and Calls(5, 3, 14).faulted("delay") == 3


def test_clients_proxies_are_asked_for_each_service_alone() -> None:
    assert query(["b.c", "a"]) == 'istio_requests_total{reporter="source",destination_service=~"a|b[.]c"}'


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"status": "error", "error": "parse error"},
        {"status": "success", "data": {"resultType": "matrix"}},
    ],
)
def test_other_answers_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"parse error|no vector|no answer of Prometheus"):
        series_of(wrong)
