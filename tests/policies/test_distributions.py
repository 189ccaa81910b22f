"""The distributions of a delay: the inverse of each, its cumulative distribution, and what is refused."""

from __future__ import annotations

from statistics import quantiles

import pytest
from support.policies import policy, reading

from chaos.mesh.draws import keyed_draws
from chaos.policies.distributions import Distribution

WRITTEN = {
    "fixed": "{fixed: 100ms}",
    "uniform": "{uniform: {from: 10ms, to: 50ms}}",
    "one value": "{uniform: {from: 50ms, to: 50ms}}",
    "normal": "{normal: {mean: 100ms, deviation: 20ms}}",
    "cut normal": "{normal: {mean: 0s, deviation: 20ms}}",
    "lognormal": "{lognormal: {p50: 20ms, p99: 200ms}}",
    "one lognormal": "{lognormal: {p50: 20ms, p99: 20ms}}",
    "percentiles": "{percentiles: {p50: 20ms, p90: 80ms, p99: 400ms, p100: 1s}}",
    "plateau": "{percentiles: {p0: 5ms, p50: 20ms, p90: 20ms, p99.9: 400ms, p100: 400ms}}",
}


def distribution(written: str) -> Distribution:
    (read,) = reading(policy(f"{{delay: {written}}}")).require().policies
    found = read.policy.fault.distribution
    assert found is not None
    return found


def drawn(written: str, seed: int, requests: int = 4000) -> list[float]:
    """What so many requests wait."""
    (read,) = reading(policy(f"{{delay: {written}}}")).require().policies
    draws = keyed_draws(seed)
    return [read.policy.fault.happen(draws(b"%d" % number).apart).wait for number in range(requests)]


def test_lognormal_has_the_p50_and_p99_that_are_written():
    waits = drawn(WRITTEN["lognormal"], 1, 10_000)
    cuts = quantiles(waits, n=100)
    assert cuts[49] == pytest.approx(0.020, rel=0.02) and cuts[98] == pytest.approx(0.200, rel=0.02)


def test_the_same_seed_has_the_same_waits():
    first, second, other = (drawn(WRITTEN["lognormal"], seed, 500) for seed in (7, 7, 8))
    assert first == second != other


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_the_draws_are_as_the_cumulative_distribution_says(written: str):
    """Kolmogorov and Smirnov: a distance beyond 0.04 has a probability of 6e-6 at 4000 draws."""
    found, waits = distribution(written), sorted(drawn(written, 3))
    for place, wait in enumerate(waits):
        assert found.cdf(wait) >= place / len(waits) - 0.04
        assert found.cdf(wait * (1 - 1e-9) - 1e-9) <= (place + 1) / len(waits) + 0.04


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_each_is_the_inverse_of_its_cumulative_distribution(written: str):
    found = distribution(written)
    at = [found.at(share / 1000) for share in range(1000)]
    assert at == sorted(at) and at[0] >= 0
    for share, seconds in enumerate(at):
        assert found.cdf(seconds + 1e-12) >= share / 1000 - 1e-9
    assert found.cdf(-1.0) == 0.0 and found.cdf(1e9) == 1.0
    assert 0 <= found.at(0.0) <= found.at(1 - 2**-53) < 1000


def test_percentiles_are_joined_by_straight_lines():
    found = distribution(WRITTEN["percentiles"])
    assert [found.at(share) for share in (0, 0.25, 0.5, 0.9, 0.945)] == pytest.approx([0, 0.01, 0.02, 0.08, 0.24])
    assert [found.cdf(seconds) for seconds in (0.01, 0.02, 0.24, 1.0)] == pytest.approx([0.25, 0.5, 0.945, 1])
    assert distribution(WRITTEN["plateau"]).cdf(0.02) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("written", "where", "said"),
    [
        ("{}", "delay", "for how long? Write one of fixed, uniform, normal, lognormal, percentiles, like fixed: 100ms"),
        (
            "{fixed: 1s, uniform: {from: 1s, to: 2s}}",
            "delay",
            "fixed and uniform are 2 distributions; a delay has one",
        ),
        ("{fixed: 3}", "delay.fixed", "3 is not a duration; write it with a unit, like 5s or 100ms"),
        ("{fixed: -1s}", "delay.fixed", "'-1s' is negative; a duration is 0s or longer"),
        ("{uniform: {from: 2s, to: 1s}}", "delay.uniform.to", "1s is below from (2s); write 2s or more"),
        ("{lognormal: {p50: 2s, p99: 1s}}", "delay.lognormal.p99", "1s is below p50 (2s); write 2s or more"),
        (
            "{percentiles: {p50: 20ms, p90: 10ms, p100: 1s}}",
            "delay.percentiles",
            "p90 (10ms) is below p50 (20ms); percentiles rise",
        ),
        ("{percentiles: {p50: 1s}}", "delay.percentiles", "p100 is missing: say how long the longest is"),
        (
            "{percentiles: {p101: 1s}}",
            "delay.percentiles",
            "p101 is not a percentile; write p0 to p100, like p50 or p99.9",
        ),
        (
            "{percentiles: {p5: 1s, p5.0: 1s, p100: 1s}}",
            "delay.percentiles",
            "p5 and p5.0 are the same percentile; write one",
        ),
    ],
)
def test_what_is_refused_is_located(written: str, where: str, said: str):
    (problem,) = reading(policy(f"{{delay: {written}}}")).problems
    assert (problem.location.line, problem.path, problem.message) == (7, f"spec.fault.{where}", said)
