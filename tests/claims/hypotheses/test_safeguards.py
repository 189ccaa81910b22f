"""A run is stopped when a bound is broken for long enough, and not by bad luck."""

from __future__ import annotations

import numpy as np
import pytest

from chaos.claims.hypotheses.expression import Names, parse_expression
from chaos.claims.hypotheses.safeguards import Safeguard, Safeguards
from chaos.protocol.digest import Digest, Key, Tally
from chaos.protocol.histogram import Histogram
from chaos.verify.verdict import Verdict


def second(good: int, bad: int, *, latency: int = 1000, phase: str = "") -> Digest:
    digest = Digest()
    for status, count in ((200, good), (503, bad)):
        for _ in range(count):
            digest.add(Key(phase, "cart", "", "", status), latency)
    return digest


def fired_after(safeguard: Safeguard, seconds: list[Digest]) -> int | None:
    """The second, from 1, at which it fires."""
    for number, digest in enumerate(seconds, 1):
        if safeguard.observe(digest) is not None:
            return number
    return None


FAILURES = parse_expression("failures < 20%")


def test_it_fires_when_the_bound_has_been_broken_long_enough() -> None:
    assert fired_after(Safeguard(FAILURES, 5.0), [second(50, 50)] * 10) == 5


def test_a_good_second_starts_the_clock_again() -> None:
    seconds = [second(50, 50)] * 4 + [second(100, 0)] + [second(50, 50)] * 5
    assert fired_after(Safeguard(FAILURES, 5.0), seconds) == 10


def test_silence_neither_breaks_nor_heals() -> None:
    assert fired_after(Safeguard(FAILURES, 2.0), [second(50, 50), second(0, 0), second(50, 50)]) == 3


def test_a_few_unlucky_requests_stop_nothing() -> None:
    assert fired_after(Safeguard(FAILURES, 2.0), [second(2, 1)] * 2) is None


def test_what_is_found_can_be_shown() -> None:
    found = Safeguard(FAILURES).observe(second(10, 90))
    assert found is not None and (found.kind, found.verdict) == ("safeguard", Verdict.FALSIFIED)
    assert found.sentence.startswith("For 1 s: 90.0\u202f% of 100 requests failed")


@pytest.mark.parametrize(("latency", "fires"), [(1000, None), (3_000_000, 1)])
def test_latencies_are_guarded_too(latency: int, fires: int | None) -> None:
    assert fired_after(Safeguard(parse_expression("p90 < 1s")), [second(200, 0, latency=latency)]) == fires


def test_requests_without_any_answer_break_a_bound_on_latency() -> None:
    digest = Digest()
    for _ in range(100):
        digest.add(Key("", "cart", "", "", 0, error="timeout"), 10)
    assert Safeguard(parse_expression("p50 < 1s")).observe(digest) is not None


def test_a_phase_of_its_own() -> None:
    guard = Safeguard(parse_expression("fault: failures < 20%", Names(("fault", "recovery"))))
    assert fired_after(guard, [second(0, 100, phase="recovery"), second(0, 100, phase="fault")]) == 2


def test_the_first_that_fires_stops_the_run() -> None:
    guards = Safeguards([Safeguard(parse_expression("p90 < 1s")), Safeguard(FAILURES)])
    assert guards.observe(second(100, 0)) is None
    found = guards.observe(second(0, 100))
    assert found is not None and found.title == "failures < 20%"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_at_its_limit_goes_on_for_an_hour(seed: int) -> None:
    """20 % failures, the limit, 100 requests a second; seeded. With an alpha of 1 % for every stretch anew, all three
    hours were stopped."""
    safeguard = Safeguard(FAILURES, 1.0)
    bad = np.random.default_rng(seed).binomial(100, 0.2, 3600)
    assert not any(safeguard.observe(counted(100 - int(n), int(n))) is not None for n in bad)


def test_a_bound_that_is_clearly_broken_late_in_a_run_still_stops_it() -> None:
    """After an hour: 30 % where 20 % is the limit, 100 requests a second."""
    random = np.random.default_rng(8)
    safeguard = Safeguard(FAILURES, 5.0, elapsed=3600)
    bad = random.binomial(100, 0.3, 120)
    after = next(s for s, n in enumerate(bad) if safeguard.observe(counted(100 - int(n), int(n))) is not None)
    assert after < 60


def counted(good: int, bad: int) -> Digest:
    """As `second`, without adding request by request."""
    digest = Digest()
    for status, count in ((200, good), (503, bad)):
        tally = digest.tallies.setdefault(Key("", "cart", "", "", status), Tally())
        tally.latency.merge(ONES[count])
    return digest


ONES = [Histogram() for _ in range(101)]
for _count, _histogram in enumerate(ONES):
    for _ in range(_count):
        _histogram.add(1000)
