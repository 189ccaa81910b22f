"""Which verdict a run as a whole gets."""

from __future__ import annotations

import pytest

from chaos.verify.verdict import Verdict, worst

V, F, U, N = Verdict.VERIFIED, Verdict.FALSIFIED, Verdict.INCONCLUSIVE, Verdict.NO_TRAFFIC


@pytest.mark.parametrize(
    ("verdicts", "of_the_run"),
    [([V, V], V), ([V, U], U), ([V, U, F, N], F), ([V, N, U], N), ([], N)],
)
def test_the_run_is_as_good_as_its_worst_finding(verdicts: list[Verdict], of_the_run: Verdict) -> None:
    """And a run that tested nothing is never a success."""
    assert worst(verdicts) is of_the_run


def test_only_verified_and_falsified_are_decided() -> None:
    assert [verdict.decided for verdict in (V, F, U, N)] == [True, True, False, False]
