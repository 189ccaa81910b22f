"""The search for the largest fault that an application survives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulated_runs import decided_runs

from chaos.claims.hypotheses.search import Quantity, Search
from chaos.verify.claim import below
from chaos.verify.verdict import Verdict

V, F, U = Verdict.VERIFIED, Verdict.FALSIFIED, Verdict.INCONCLUSIVE
ABORT = Quantity("webserver", "abort")


def searched(search: Search, breaking: float, blur: float = 0.0) -> Search:
    """Every level below the breaking point holds; within `blur` of it no number of requests would tell."""
    while (level := search.next()) is not None:
        assert level not in search.tried
        search.record(level, U if abs(level - breaking) < blur else V if level < breaking else F)
    return search


@given(st.floats(0.1, 59.9), st.floats(0, 3))
def test_it_closes_in_on_the_breaking_point(breaking: float, blur: float) -> None:
    found = searched(Search(0, 60, 1.0), breaking, min(blur, breaking, 60 - breaking))
    low, high = found.holds_up_to, found.breaks_from
    assert low is not None and high is not None and low <= breaking <= high
    assert high - low <= 2 * 1.0 + 2 * blur + 1e-9
    assert len(found.tried) <= found.most_levels


def test_what_it_says() -> None:
    finding = searched(Search(0, 60), 20.5).finding(ABORT, "failures < 5%")
    assert finding.verdict is V and finding.kind == "search" and finding.unit == "share"
    low, high = finding.interval or (0, 0)
    assert low is not None and high is not None and low < 0.205 <= high
    assert "holds up to webserver.abort" in finding.sentence and "is broken from" in finding.sentence


def test_a_range_that_never_holds() -> None:
    found = searched(Search(10, 60), 5)
    assert list(found.tried) == [10] and found.finding(ABORT, "p99 < 1s").verdict is F
    assert "never holds" in found.finding(ABORT, "p99 < 1s").sentence


def test_a_range_that_always_holds() -> None:
    found = searched(Search(0, 60), 99)
    assert list(found.tried) == [0, 60] and found.finding(ABORT, "p99 < 1s").verdict is V
    assert "what breaks it was not found" in found.finding(ABORT, "p99 < 1s").sentence


def test_nothing_decided() -> None:
    search = Search(0, 60)
    while (level := search.next()) is not None:
        search.record(level, U)
    assert search.finding(ABORT, "p99 < 1s").verdict is U and len(search.tried) <= search.most_levels


def test_delays_are_searched_in_seconds() -> None:
    finding = searched(Search(0.0, 2.0), 0.7).finding(Quantity("webserver", "fixedDelay"), "p99 < 1s")
    assert finding.unit == "seconds" and "ms" in finding.sentence


@pytest.mark.parametrize(("start", "to", "resolution"), [(60, 0, None), (5, 5, None), (0, 60, 0.0), (0, 60, 60.0)])
def test_a_range_that_is_none_is_refused(start: float, to: float, resolution: float | None) -> None:
    with pytest.raises(ValueError, match="a search"):
        Search(start, to, resolution)


@pytest.mark.parametrize("text", ["webserver", "abort", "webserver.aborts", ".abort", ""])
def test_what_cannot_vary_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be varied"):
        Quantity.parse(text)
    assert Quantity.parse("payments.shop.abort") == Quantity("payments.shop", "abort")


def test_the_breaking_point_is_outside_in_at_most_1_search_of_100() -> None:
    """Users fail half as often as the dependency; 5 % is broken from 10 %. 60 seeded searches with real verdicts."""
    claim = below(0.05)
    outside = 0
    for run in range(60):
        search = Search(0, 60, 2.0)
        while (level := search.next()) is not None:
            truth = level / 200
            seed = [run, round(level * 1000)]
            runs = decided_runs(claim, truth, search.alpha, runs=1, step=200, limit=20_000, seed=seed)
            search.record(level, V if runs.verified[0] else F if runs.falsified[0] else U)
        low, high = search.holds_up_to, search.breaks_from
        assert low is not None and high is not None
        outside += not low <= 10 <= high
        assert np.isfinite(high - low)
    assert outside <= 4
