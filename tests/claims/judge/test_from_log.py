"""What the access log of a gateway without tags shows is judged by it, and nothing that it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.simulated_gateway import SimulatedGateway

from chaos.claims.effects import Effect, PhaseEffects, Retries
from chaos.claims.expectations import expectations
from chaos.claims.finding import Finding
from chaos.claims.judge.judge import Judge
from chaos.faults import AbortFault, DelayFault
from chaos.units import Percent
from chaos.verify.verdict import Verdict

V, F, U, N, NOT = (
    Verdict.VERIFIED,
    Verdict.FALSIFIED,
    Verdict.INCONCLUSIVE,
    Verdict.NO_TRAFFIC,
    Verdict.NOT_JUDGED,
)
KEY = "virtualservice/default/web/0"
EFFECT = Effect(
    KEY,
    "web[0]",
    tasks=("GET /",),
    faults=(DelayFault(Percent.of(0), 0.2), AbortFault(Percent.of(10), 400)),
    destinations=(("web:80/v1", 0.75), ("web:80/v2", 0.25)),
    retries=Retries(2, lambda status: status >= 500),
)
RIGHT: dict[str, Any] = {
    "abort": lambda _: 0.1,
    "destinations": {"web:80/v1": 0.75, "web:80/v2": 0.25},
    "failing": 0.5,
    "attempts": 2,
}
LOG = {"lines": 1, "found": 1, "attempts": True, "foreign": "", "final": False, "trouble": ""}


def judged(
    gateway: SimulatedGateway, *, log: dict[str, Any] | None = None, unlogged: int = 0, **effect: Any
) -> dict[str, Finding]:
    """The findings of 15 000 requests; those on destinations by what they are called."""
    phase = PhaseEffects("", (replace(EFFECT, **effect),), own_failures=True)
    judge = Judge(expectations([phase], tagged=False, logged=True))
    for digest in gateway.seconds(15, 1000):
        judge.observe(digest)
    gateway.counts["unlogged"] = unlogged
    found = judge.findings({**gateway.counters, "log": {**LOG, **(log or {})}})  # type: ignore[typeddict-item]
    return {each.title if each.kind == "destination" else each.kind: each for each in found}


def of(**options: Any) -> SimulatedGateway:
    return SimulatedGateway(**{**RIGHT, "tagged": False, "seed": 4, **options})


def verdicts(found: dict[str, Finding]) -> dict[str, Verdict]:
    return {name: each.verdict for name, each in found.items()}


def test_the_right_gateway_is_verified() -> None:
    found = judged(of())
    assert verdicts(found) == {
        "failures": V, "route": NOT, "abort": V, "delay": V, "to web/v1": V, "to web/v2": V, "residual": V,
    }  # fmt: skip
    assert found["to web/v1"].ledgers == ("configured", "drawn") and found["to web/v1"].observed is None
    assert found["to web/v1"].sentence.startswith("By its access log 7")


@pytest.mark.parametrize(
    ("wrong", "falsified"),
    [
        ({"destinations": {"web:80/v1": 0.6, "web:80/v2": 0.4}}, {"to web/v1", "to web/v2"}),
        ({"attempts": 1}, {"residual"}),
        ({"delay": lambda _: 0.01, "added": 0.2}, {"delay"}),
        ({"broken": 0.1, "attempts": 0, "failing": 0.0}, {"failures", "residual"}),
        ({"hide": 0.5}, {"abort"}),
    ],
)
def test_a_wrong_one_is_falsified(wrong: dict[str, Any], falsified: set[str]) -> None:
    assert {name for name, each in judged(of(**wrong)).items() if each.verdict is F} == falsified


def test_requests_without_a_line_widen_what_is_possible() -> None:
    few, many = judged(of(), unlogged=100)["to web/v1"], judged(of(), unlogged=2000)["to web/v1"]
    assert (few.verdict, few.unknown) == (V, 100) and "of 100 more it has no line" in few.sentence
    assert (many.verdict, many.cause) == (U, "lost")
    retries = judged(of(), unlogged=2000)["residual"]
    assert (retries.verdict, retries.cause) == (U, "lost") and "the access log has no line" in retries.sentence


def test_no_number_of_lines_verifies_a_wrong_one_whose_lines_are_missing() -> None:
    """All that is missing may have gone the right way."""
    found = judged(of(destinations={"web:80/v1": 0.73, "web:80/v2": 0.27}), unlogged=1500)
    assert found["to web/v1"].verdict is U


def test_a_log_that_tells_nothing_is_said_with_its_reason() -> None:
    found = judged(of(), log={"trouble": "it is another gateway's"})
    assert {name for name, each in found.items() if each.verdict is NOT} == {
        "failures", "route", "delay", "to web/v1", "to web/v2", "residual",
    }  # fmt: skip
    assert found["to web/v1"].sentence == "Not judged: it is another gateway's."


def test_attempts_and_clusters_are_not_judged_where_the_log_has_none() -> None:
    found = judged(of(), log={"attempts": False, "foreign": "backend"})
    assert "%UPSTREAM_REQUEST_ATTEMPT_COUNT%" in found["residual"].sentence
    assert "names a cluster backend, which is not called as Istio calls them" in found["to web/v1"].sentence
    assert {each.verdict for each in (found["residual"], found["to web/v1"])} == {NOT}


@pytest.mark.parametrize(("final", "verdict"), [(False, U), (True, N)])
def test_a_rule_without_a_line_is_open_until_no_more_come(final: bool, verdict: Verdict) -> None:
    gateway = of(rule="virtualservice/default/another/0")
    found = judged(gateway, log={"final": final})
    assert {found[name].verdict for name in ("to web/v1", "residual", "failures", "delay")} == {verdict}


def test_a_delay_that_overlaps_is_judged_by_its_flags() -> None:
    """By their latencies alone these could be anything from none to half."""
    effect = {"faults": (DelayFault(Percent.of(30), 0.001),)}
    right = judged(of(abort=lambda _: 0.0, delay=lambda _: 0.3, added=0.001), **effect)
    wrong = judged(of(abort=lambda _: 0.0, delay=lambda _: 0.2, added=0.001), **effect)
    assert (right["delay"].verdict, wrong["delay"].verdict) == (V, F)
    assert right["delay"].alpha == wrong["delay"].alpha


def test_without_a_log_the_way_out_names_it() -> None:
    made = expectations([PhaseEffects("", (EFFECT,), own_failures=True)], tagged=False)
    shown = {each.kind for each in made if "--access-log FILE" in each.unseen}
    assert shown == {"failures", "delay", "destination", "residual"}
