"""What clients of a gateway that says nothing can know of its faults, and what they cannot: seeded simulations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.faults import aborting, delaying
from support.simulated_gateway import SimulatedGateway

from chaos.claims.effects import Effect, PhaseEffects, Retries
from chaos.claims.expectations import expectations
from chaos.claims.finding import Finding
from chaos.claims.judge.judge import Judge, divide
from chaos.protocol.digest import Digest, Key
from chaos.verify.verdict import Verdict, worst

V, F, U, NONE, NOT = (
    Verdict.VERIFIED,
    Verdict.FALSIFIED,
    Verdict.INCONCLUSIVE,
    Verdict.NO_TRAFFIC,
    Verdict.NOT_JUDGED,
)

WEB = Effect("virtualservice/default/web/0", "web[0]", "web.yaml:9:5", ("GET /",), destinations=(("web:80", 1.0),))
DELAY = replace(WEB, faults=(delaying(0.5, 0.2),))
ABORT = replace(WEB, faults=(aborting(0.5, 400),))
ALWAYS = replace(DELAY, faults=(delaying(1.0, 0.2),))


def exponential(random: np.random.Generator, n: int) -> Any:
    return random.exponential(0.05, n)


def uniform(random: np.random.Generator, n: int) -> Any:
    return random.uniform(0, 0.15, n)


def wide(random: np.random.Generator, n: int) -> Any:
    return random.exponential(0.2, n)


def two_kinds(random: np.random.Generator, n: int) -> Any:
    """One in ten takes 300 ms by itself."""
    return np.where(random.random(n) < 0.1, 0.3, 0.005)


def judged(effect: Effect, gateway: SimulatedGateway, looks: int, rate: int, **options: Any) -> dict[str, Finding]:
    judge = Judge(expectations([PhaseEffects("", (effect,))], tagged=False))
    findings: Sequence[Finding] = []
    for digest in gateway.seconds(looks, rate):
        judge.observe(digest)
        findings = judge.findings(None, **options)
    return {finding.kind: finding for finding in findings}


def outside(share: float, upstream: Callable[[Any, int], Any] | None = None, **more: Any) -> SimulatedGateway:
    more = {"added": 0.2015, "jitter": 0.0015, **more}
    return SimulatedGateway(delay=lambda _: share, upstream=upstream, tagged=False, **more)


class TestEveryRequestIsDelayed:
    @pytest.mark.parametrize("upstream", [None, exponential])
    def test_it_is_verified_as_far_as_it_can_be(self, upstream: Callable[[Any, int], Any] | None) -> None:
        found = judged(ALWAYS, outside(1.0, upstream), 8, 1000)
        assert found["delay"].verdict is V and found["added-delay"].verdict is V
        assert "the upstream's own cannot be seen from outside" in found["delay"].sentence
        assert "the upstream's own cannot be seen from outside" in found["added-delay"].sentence
        assert (found["added-delay"].sense, found["added-delay"].configured) == ("above", 0.2)

    def test_one_early_response_refutes_it(self) -> None:
        delay = judged(ALWAYS, outside(0.999), 8, 1000)["delay"]
        assert delay.verdict is F and "came before 190ms" in delay.sentence

    def test_none_of_them_delayed_is_falsified(self) -> None:
        found = judged(ALWAYS, outside(0.0), 2, 1000)
        assert found["delay"].verdict is F and found["added-delay"].verdict is F

    def test_no_request_at_all_is_no_traffic(self) -> None:
        assert {each.verdict for each in judged(ALWAYS, outside(1.0), 0, 1000).values()} == set()
        judge = Judge(expectations([PhaseEffects("", (ALWAYS,))], tagged=False))
        assert {each.kind: each.verdict for each in judge.findings(None)} == {
            "route": NOT, "delay": NONE, "added-delay": NONE,
        }  # fmt: skip

    def test_those_without_a_response_may_have_been_early(self) -> None:
        assert judged(ALWAYS, outside(1.0, losing=0.1), 8, 1000)["delay"].verdict is U

    def test_a_client_short_of_cpu_proves_nothing(self) -> None:
        found = judged(ALWAYS, outside(1.0), 8, 1000, starved="the load had no CPU")
        assert (found["delay"].verdict, found["delay"].cause) == (U, "starved")
        assert (found["added-delay"].verdict, found["added-delay"].cause) == (U, "starved")


class TestSomeAreDelayed:
    @pytest.mark.parametrize("upstream", [exponential, uniform])
    def test_a_right_gateway_before_a_scattered_upstream_is_verified(self, upstream: Callable[[Any, int], Any]) -> None:
        found = judged(DELAY, outside(0.5, upstream), 7, 10_000)
        delay = found["delay"]
        assert delay.verdict is V and "cannot be seen from outside" in delay.sentence
        low, high = delay.interval or (0, 1)
        assert low is not None and high is not None and 0.48 <= low < 0.5 < high <= 0.52
        assert found["added-delay"].verdict is NOT and "cannot be told apart" in found["added-delay"].sentence

    @pytest.mark.slow
    @pytest.mark.parametrize("upstream", [None, exponential, uniform, wide, two_kinds])
    @pytest.mark.parametrize("seed", [1, 2])
    def test_a_right_gateway_is_never_falsified(self, upstream: Callable[[Any, int], Any] | None, seed: int) -> None:
        for share in (0.05, 0.5, 0.95):
            effect = replace(DELAY, faults=(delaying(share, 0.2),))
            found = judged(effect, outside(share, upstream, seed=seed), 3, 3000)
            assert not {each.verdict for each in found.values()} & {F, NONE}

    @pytest.mark.slow
    @pytest.mark.parametrize("upstream", [None, exponential, uniform, two_kinds])
    @pytest.mark.parametrize("share", [0.0, 0.35, 0.65])
    def test_a_wrong_one_is_falsified(self, upstream: Callable[[Any, int], Any] | None, share: float) -> None:
        delay = judged(DELAY, outside(share, upstream), 4, 5000)["delay"]
        assert delay.verdict is F

    def test_what_looks_alike_is_left_open(self) -> None:
        """Latencies spread evenly over two delays are those of a right gateway before half as wide an upstream."""
        gateway = outside(0.0, lambda random, n: random.uniform(0, 0.4, n))
        delay = judged(DELAY, gateway, 4, 10_000)["delay"]
        assert delay.verdict is U and "cannot be told apart" in delay.sentence
        assert delay.estimate is None and delay.interval is not None

    def test_a_wide_upstream_leaves_it_open(self) -> None:
        assert judged(DELAY, outside(0.5, wide), 4, 5000)["delay"].verdict is U

    def test_requests_that_are_slow_by_themselves_are_not_counted_as_delayed(self) -> None:
        """Of all responses 50 % are late, and a tenth of the others by themselves: 45 % were delayed."""
        found = judged(DELAY, outside(0.45, two_kinds), 4, 8000)
        assert found["delay"].verdict is F and found["added-delay"].verdict is V

    def test_a_delay_is_not_blamed_for_requests_that_are_slow_by_themselves(self) -> None:
        """Most of the late ones took 300 ms; one in twenty was delayed, and by what is configured."""
        found = judged(replace(DELAY, faults=(delaying(0.05, 0.2),)), outside(0.05, two_kinds), 4, 8000)
        assert found["added-delay"].verdict is U and "late by themselves" in found["added-delay"].sentence
        assert found["delay"].verdict is not F

    def test_a_stall_now_and_then_does_not_leave_it_open(self) -> None:
        def stalls(random: np.random.Generator, n: int) -> Any:
            return np.where(random.random(n) < 0.0005, random.uniform(0, 0.4, n), 0.005)

        assert judged(DELAY, outside(0.5, stalls), 20, 1000)["delay"].verdict is V

    @pytest.mark.parametrize("upstream", [None, exponential])
    def test_another_delay_is_not_verified(self, upstream: Callable[[Any, int], Any] | None) -> None:
        found = judged(DELAY, outside(0.5, upstream, added=0.23), 5, 5000)
        assert found["delay"].verdict is not V and worst(each.verdict for each in found.values()) is F

    def test_a_client_short_of_cpu_proves_nothing(self) -> None:
        delay = judged(DELAY, outside(0.5), 10, 1000, starved="the load had no CPU")["delay"]
        assert (delay.verdict, delay.cause) == (U, "starved")


class TestWhatCannotBeSeen:
    EFFECT = replace(
        ABORT,
        destinations=(("web:80/v1", 0.8), ("web:80/v2", 0.2)),
        mirrors=(("shadow:80", 0.5),),
        retries=Retries(2, lambda status: status >= 500),
        faults=(delaying(0.0, 0.2), *ABORT.faults),
    )

    def test_it_is_said_and_not_dropped(self) -> None:
        judge = Judge(expectations([PhaseEffects("", (self.EFFECT,))], tagged=False))
        for digest in SimulatedGateway(abort=lambda _: 0.5, tagged=False).seconds(15, 1000):
            judge.observe(digest)
        found = judge.findings(None)
        told = {(each.kind, each.verdict) for each in found}
        assert told == {
            ("route", NOT), ("abort", V), ("delay", NOT), ("destination", NOT), ("residual", NOT), ("mirror", NOT),
        }  # fmt: skip
        for each in found:
            if each.verdict is NOT:
                assert each.sentence.startswith("Not judged: cannot be seen from outside, as ")
        assert worst(each.verdict for each in found) is V

    def test_alone_it_is_no_success(self) -> None:
        judge = Judge(expectations([PhaseEffects("", (WEB,))], tagged=False))
        assert worst(each.verdict for each in judge.findings(None)) is U

    def test_it_takes_no_part_of_alpha(self) -> None:
        alphas = divide(0.99, expectations([PhaseEffects("", (self.EFFECT,))], tagged=False))
        assert sorted(alphas)[-1] == pytest.approx(0.01) and sum(alphas) == pytest.approx(0.01)

    def test_requests_that_are_not_the_loads_own_are_not_seen(self) -> None:
        made = expectations([PhaseEffects("", (replace(ABORT, tasks=None),))], tagged=False)
        assert made and all("not the load's own" in each.unseen for each in made)

    def test_an_abort_of_a_response_without_a_body_is_not_judged_unless_its_head_tells(self) -> None:
        def finding(fault: str) -> Finding:
            judge = Judge(expectations([PhaseEffects("", (ABORT,))], tagged=False))
            digest = Digest()
            for status, told, n in ((200, "", 5000), (400, fault, 5000)):
                for _ in range(n):
                    digest.add(Key("", "GET /", "", "", status, told), 1000)
            judge.observe(digest)
            return next(each for each in judge.findings(None) if each.kind == "abort")

        assert finding("abort").verdict is not NOT
        unclear = finding("unclear")
        assert unclear.verdict is NOT and "5 000 responses with 400" in unclear.sentence.replace("\u202f", " ")
