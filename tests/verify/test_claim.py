"""Claims about proportions: their ranges, their verdicts, and how often a verdict is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.simulated_runs import assess_all, decided_runs

from chaos.verify.claim import Claim, above, below, divide_alpha, split_alpha, within
from chaos.verify.verdict import Verdict

V, F, U = Verdict.VERIFIED, Verdict.FALSIFIED, Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("share", "low", "high"),
    [
        (0.5, 0.48, 0.52),
        (0.1, 0.08, 0.12),
        (0.03, 0.015, 0.045),
        (0.001, 0.0005, 0.0015),
        (0.99, 0.985, 0.995),
        (0.0, 0.0, 0.001),
        (1.0, 0.999, 1.0),
    ],
)
def test_the_tolerance_is_two_points_but_never_more_than_half_of_what_there_is(
    share: float, low: float, high: float
) -> None:
    claim = within(share)
    assert (claim.low, claim.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize(("share", "tolerance"), [(-0.1, 0.02), (1.1, 0.02), (0.5, 0.0), (0.5, float("nan"))])
def test_a_claim_that_says_nothing_is_refused(share: float, tolerance: float) -> None:
    with pytest.raises(ValueError, match="a claim needs"):
        within(share, tolerance)


@pytest.mark.parametrize(
    ("claim", "k", "n", "verdict"),
    [
        (within(0.5), 7010, 14000, V),
        (within(0.5), 6300, 14000, F),
        (within(0.5), 50, 100, U),
        (within(0.5), 0, 0, Verdict.NO_TRAFFIC),
        (within(0.0), 0, 6000, V),
        (within(0.0), 0, 1000, U),
        (within(0.0), 1, 10**9, F),
        (within(1.0), 6000, 6000, V),
        (within(1.0), 5999, 6000, F),
        (within(1.0), 1, 1, U),
        (below(0.05), 0, 300, V),
        (below(0.05), 40, 300, F),
        (below(0.05), 15, 300, U),
        (above(0.9), 990, 1000, V),
        (above(0.9), 700, 1000, F),
        (within(0.5), 500_000_000, 10**9, V),
        (within(0.5), 480_100_000, 10**9, V),
        (within(0.5), 479_900_000, 10**9, F),
    ],
)
def test_verdicts(claim: Claim, k: int, n: int, verdict: Verdict) -> None:
    assert claim.assess(k, n, 0.01) is verdict


CLAIMS = [within(0.5), within(0.1), within(0.999), within(0.0), below(0.05), above(0.9)]


@given(st.integers(1, 10**6), st.floats(0, 1), st.sampled_from(CLAIMS))
def test_the_interval_of_a_decided_claim_lies_on_the_side_of_its_verdict(n: int, share: float, claim: Claim) -> None:
    """Verified: inside the range. Falsified: outside of it."""
    k = round(share * n)
    verdict, found = claim.assess(k, n, 0.01), claim.interval(k, n, 0.01)
    if verdict is V:
        assert claim.low <= found.low <= found.high <= claim.high
    if verdict is F and not claim.certain:
        assert found.high <= claim.low or found.low >= claim.high


@example(n=8193, share=1 / 8192, unknown=15, part=0.0, claim=within(0.0))
@given(st.integers(1, 10**5), st.floats(0, 1), st.integers(1, 10**4), st.floats(0, 1), st.sampled_from(CLAIMS))
def test_a_verdict_beside_unknown_outcomes_holds_whatever_they_were(
    n: int, share: float, unknown: int, part: float, claim: Claim
) -> None:
    """And the interval holds that of every way in which they may have come out."""
    k, hits = round(share * n), round(part * unknown)
    verdict = claim.assess(k, n, 0.01, unknown)
    if verdict.decided and not claim.certain:
        assert claim.assess(k + hits, n + unknown, 0.01) is verdict
    else:
        wide, one = claim.interval(k, n, 0.01, unknown), claim.interval(k + hits, n + unknown, 0.01)
        assert wide.low <= one.low + 1e-9 and one.high <= wide.high + 1e-9


@pytest.mark.parametrize(
    ("k", "n", "unknown", "verdict"),
    [
        (7000, 14_000, 0, V),
        (7000, 14_000, 100, V),
        (7000, 14_000, 700, U),  # all of them hits: 52.4 %
        (3000, 10_000, 1000, F),  # all of them hits: 36 %
        (0, 10_000, 10_000, U),
        (0, 0, 10, U),
        (0, 0, 0, Verdict.NO_TRAFFIC),
    ],
)
def test_unknown_outcomes_are_no_evidence(k: int, n: int, unknown: int, verdict: Verdict) -> None:
    assert within(0.5).assess(k, n, 0.01, unknown) is verdict


def test_one_unknown_outcome_does_not_refute_never_and_a_known_one_does() -> None:
    """It is verified when it would be within its tolerance even if the unknown one were a hit; that takes more."""
    assert within(0.0).assess(0, 10_000, 0.01, 1) is U
    assert within(0.0).assess(0, 20_000, 0.01, 1) is V and within(1.0).assess(20_000, 20_000, 0.01, 1) is V
    assert within(0.0).assess(1, 10_000, 0.01, 1) is F


def test_never_may_be_wanted_less_strictly() -> None:
    """Half a point takes a fifth of the requests; a counter-example refutes it all the same."""
    claim = within(0.0, certain=0.005)
    assert claim.assess(0, 1000, 0.01) is V and within(0.0).assess(0, 1000, 0.01) is U
    assert claim.assess(1, 10**9, 0.01) is F


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.5, 0.99, 1.0])
def test_weights_add_up_to_1(share: float) -> None:
    claim = within(share)
    assert sum(weight for _, weight in claim.inside) == pytest.approx(1)
    assert sum(weight for _, weight in claim.edges) == pytest.approx(1)
    assert all(claim.low <= point <= claim.high for point, _ in claim.inside)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="not in 0"):
        within(0.5).assess(3, 2, 0.01)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (500, 1000), (300, 1000), (60, 100)])
def test_what_is_still_needed_decides(k: int, n: int) -> None:
    """And a tenth less does not."""
    claim = within(0.5)
    more = claim.needed(k, n, 0.01)
    if more is None:
        assert claim.assess(k, n, 0.01).decided
        return
    share = 0.5
    assert claim.assess(k + more * share, n + more, 0.01) is V
    assert claim.assess(k + 0.9 * more * share, n + 0.9 * more, 0.01) is U


def test_alpha_is_divided() -> None:
    assert split_alpha(0.99, 4) == pytest.approx(0.0025) and split_alpha(0.99, 0) == pytest.approx(0.01)
    assert divide_alpha(0.99, [1.0, 3.0]) == [pytest.approx(0.0025), pytest.approx(0.0075)]


HALF = pytest.param(0.5, marks=pytest.mark.representative)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, HALF, 0.99, 1.0])
def test_a_right_gateway_is_verified_and_wrongly_falsified_in_at_most_1_percent_of_10_000_runs(share: float) -> None:
    """`until: decided` at 99 %: judged forty times on the way to a typical verdict. 1.5 % by chance: 1 in 10^6."""
    claim = within(share)
    step = max(50, claim.needed(0, 0, 0.01) or 0) // 40
    runs = decided_runs(claim, share, 0.01, runs=10_000, step=step, limit=600 * step, seed=[1, round(share * 1000)])
    assert runs.falsified.mean() <= 0.015
    assert (runs.verified | runs.falsified).all()


BESIDE = [
    pytest.param(0.5, 1, marks=pytest.mark.representative),
    *((share, side) for share in (0.001, 0.01, 0.1, 0.5, 0.99) for side in (-1, 1) if (share, side) != (0.5, 1)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("share", "side"), BESIDE)
def test_a_gateway_just_beyond_the_tolerance_is_wrongly_verified_in_at_most_1_percent_of_10_000_runs(
    share: float, side: int
) -> None:
    """The hardest case there is: the truth on the very edge of the range."""
    claim = within(share)
    step = (claim.needed(0, 0, 0.01) or 0) // 20
    truth = (claim.low if side < 0 else claim.high) + side * 1e-9
    runs = decided_runs(
        claim, truth, 0.01, runs=10_000, step=step, limit=100 * step, seed=[2, round(share * 1000), side + 1]
    )
    assert runs.verified.mean() <= 0.015


def test_a_gateway_3_points_off_is_falsified_in_99_runs_of_100() -> None:
    """47 % for 50 %, of 2 000 runs; all of them are decided in the end."""
    runs = decided_runs(within(0.5), 0.47, 0.01, runs=2000, step=500, limit=400_000, seed=[3])
    assert runs.falsified.mean() >= 0.99
    assert np.median(runs.requests) < 36_000


def test_a_gateway_1_point_off_is_verified_in_the_end() -> None:
    """51 % is within 2 points of 50 %."""
    runs = decided_runs(within(0.5), 0.51, 0.01, runs=500, step=500, limit=400_000, seed=[7])
    assert runs.verified.mean() >= 0.985
    assert np.median(runs.requests) < 34_000


@pytest.mark.slow
def test_twenty_rules_together_are_wrong_in_at_most_1_run_of_100() -> None:
    """2 000 runs of twenty right rules, alpha divided: a run counts as wrong when any of its rules is falsified."""
    alpha = split_alpha(0.99, 20)
    wrong = np.zeros(2000, bool)
    for rule in range(20):
        wrong |= decided_runs(within(0.5), 0.5, alpha, runs=2000, step=500, limit=100_000, seed=[4, rule]).falsified
    assert wrong.mean() <= 0.02


def test_the_simulation_judges_as_the_product_does() -> None:
    random = np.random.default_rng(5)
    for share in (0.0, 0.001, 0.5, 1.0):
        claim = within(share)
        for n in (1, 100, 10_000):
            k = random.binomial(n, min(1, share + 0.01), 50).astype(float)
            verified, falsified = assess_all(claim, k, n, 0.01)
            verdicts = [claim.assess(int(count), n, 0.01) for count in k]
            assert [verdict is V for verdict in verdicts] == list(verified)
            assert [verdict is F for verdict in verdicts] == list(falsified)
