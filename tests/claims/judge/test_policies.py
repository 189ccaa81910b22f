"""Claims about FaultPolicies: right gateways are verified, wrong ones falsified, whatever they say of themselves.

Seeded; each second of load is made from what a client would see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from support.mesh import virtual_service
from support.policies import policy, reading

from chaos.claims.effects import PhaseEffects
from chaos.claims.expectations import expectations
from chaos.claims.finding import Finding
from chaos.claims.judge.judge import Judge
from chaos.claims.policing import policy_effects
from chaos.claims.routing import effects_of
from chaos.experiment.tasks import LoadTask
from chaos.gateway.state.counters import Ledger
from chaos.mesh.compile.rules import compile_rules
from chaos.mesh.decision import Endpoint
from chaos.mesh.upstream.registry import Registry
from chaos.policies.compiled import compile_policies
from chaos.protocol.digest import Digest, Key
from chaos.verify.verdict import Verdict

TASK = LoadTask("home", "GET", "http://web/")
RULE = virtual_service("- route: [{destination: {host: web}}]")
RETRIES = virtual_service("- route: [{destination: {host: web}}]\n  retries: {attempts: 2, retryOn: 5xx}")
WEB = "web.default.svc.cluster.local:80"
RATE = 1000
"""Requests a second."""

OK = Key("", "home", "web[0]", WEB, 200)
RESET = Key("", "home", "", "", 0, error="reset")
CLOSED = Key("", "home", "", "", 0, error="closed")
CUT = Key("", "home", "web[0]", WEB, 0, error="closed", policy="p")
SILENT = Key("", "home", "web[0]", WEB, 0, error="timeout", policy="p")
BUSY = Key("", "home", "", "", 429, policy="p")
DOWN = Key("", "home", "", "", 503, policy="p")
TAGGED = OK._replace(policy="p")

Seen = Callable[[Random, float, int], tuple[Key, float]]
"""Returns what the client of a request sees, sent at so many seconds and after so many others, and its latency."""


@dataclass
class Run:
    """A phase with one policy; `see` is the gateway as clients see it, `said` the share of requests that it says have
    met the fault, None if it says how many did; `tell` adds what it says of others, of `sent` requests."""

    fault: str
    see: Seen
    percentage: float = 30
    more: str = ""
    rule: str = RULE
    seconds: int = 20
    others: str = ""
    said: float | None = None
    faults: bool = True
    targeted: int = 0
    tell: Callable[[Any, int, int], None] = lambda counters, sent, met: None

    def judged(self, seed: int = 1) -> dict[str, Finding]:
        """Return the findings by kind, after the last second."""
        read = reading(self.rule, policy(self.fault, percentage=self.percentage, more=self.more), self.others)
        rules = compile_rules(read.require().resources, Registry.of([("web", 80, [Endpoint("127.0.0.1", 1)])]))
        policies = policy_effects(compile_policies(read.policies, rules), [TASK], "", others=False)
        phase = PhaseEffects("", effects_of(rules, [TASK]), self.faults, True, True, policies=policies)
        judge = Judge(expectations([phase]))
        random, sent, met = Random(seed), 0, 0
        for second in range(self.seconds):
            digest = Digest()
            for place in range(RATE):
                key, latency = self.see(random, second + place / RATE, sent)
                digest.add(key, int(latency * 1e6))
                sent += 1
                met += bool(key.policy or key.error)
            judge.observe(digest)
        return {each.kind: each for each in judge.findings(self.counters(sent, met))}

    def counters(self, sent: int, met: int) -> Any:
        said = met if self.said is None else int(sent * self.said)
        counted = {"targeted": self.targeted or sent, "met": said, "full": 0, "left": 0, "left_met": 0, "preceded": 0}
        counters = {"generation": 1, "seconds": 1.0, "workers": 1, "connections": 1, "cpu_seconds": 0.0, "phases": {},
                    "unmatched": 0, "policies": {"": {"p": counted}}}  # fmt: skip
        self.tell(counters, sent, met)
        return counters


def drawn(share: float, met: Key, else_: Key = OK, late: float = 0.0) -> Seen:
    """A gateway that has this share of its requests meet the fault, which they see as `met`."""

    def see(random: Random, at: float, sent: int) -> tuple[Key, float]:
        hit = random.random() < share
        return (met, 0.002 + random.random() / 1000 + late) if hit else (else_, 0.002 + random.random() / 1000)

    return see


RIGHT = {
    "reset": ("{reset: {}}", RESET),
    "close": ("{close: {}}", CLOSED),
    "stall": ("{stall: {}}", SILENT),
    "truncate": ("{truncate: {bytes: 1}}", CUT),
    "corrupt": ("{corrupt: {bytes: 1}}", TAGGED),
    "patch": ("{patch: {body: other}}", TAGGED),
    "status": ("{status: {code: 429}}", BUSY),
}
FEIGNED = {  # what a gateway's clients see that says what it has not done, or does something else
    "reset": CLOSED,
    "close": RESET,
    "stall": CUT,
    "truncate": TAGGED,
    "corrupt": TAGGED._replace(policy="p="),
    "patch": TAGGED._replace(policy="p="),
    "status": TAGGED,
}


@pytest.mark.parametrize("kind", RIGHT)
def test_a_right_gateway_is_verified_and_its_rule_is_not_to_blame(kind: str) -> None:
    fault, met = RIGHT[kind]
    found = Run(fault, drawn(0.3, met)).judged()
    assert {name: found[name].verdict for name in ("policy", "lost", "route")} == dict.fromkeys(
        ("policy", "lost", "route"), Verdict.VERIFIED
    )
    ended = kind in ("reset", "close", "truncate")
    assert ("that policies ended" in found["lost"].sentence) is ended


@pytest.mark.parametrize("kind", RIGHT)
def test_one_that_draws_less_is_falsified(kind: str) -> None:
    fault, met = RIGHT[kind]
    found = Run(fault, drawn(0.25, met)).judged()
    assert (found["policy"].verdict, found["policy"].cause) == (Verdict.FALSIFIED, "dice")


@pytest.mark.parametrize("kind", RIGHT)
def test_one_that_only_says_so_is_falsified(kind: str) -> None:
    found = Run(RIGHT[kind][0], drawn(0.3, FEIGNED[kind])).judged()
    assert found["policy"].verdict is Verdict.FALSIFIED


@pytest.mark.parametrize("kind", RIGHT)
def test_one_that_does_it_without_faults_is_falsified(kind: str) -> None:
    found = Run(RIGHT[kind][0], drawn(0.01, RIGHT[kind][1]), faults=False).judged()
    assert found["policy"].verdict is Verdict.FALSIFIED
    spared = Run(RIGHT[kind][0], drawn(0.0, OK), faults=False).judged()
    assert spared["policy"].verdict is Verdict.VERIFIED


def test_what_is_lost_beyond_what_the_gateway_has_ended_is_lost() -> None:
    """It resets 33 %, and says 30: the rest is no policy's doing."""
    found = Run("{reset: {}}", drawn(0.33, RESET), said=0.3, seconds=40).judged()
    assert found["lost"].verdict is Verdict.FALSIFIED
    assert found["route"].verdict is not Verdict.VERIFIED and found["route"].unknown > 100


def test_changed_bodies_that_nobody_can_compare_are_unknown() -> None:
    found = Run("{corrupt: {bytes: 1}}", drawn(0.3, TAGGED._replace(policy="p?"))).judged()["policy"]
    assert found.verdict is Verdict.INCONCLUSIVE and found.unknown > 2000


def test_of_two_policies_that_answer_the_first_counts() -> None:
    """The second is judged by what the first leaves."""
    second = policy("{reset: {}}", name="q", percentage=50)

    def see(random: Random, at: float, sent: int) -> tuple[Key, float]:
        if random.random() < 0.3:
            return BUSY, 0.001
        return (RESET if random.random() < 0.5 else OK), 0.001

    found = Run("{status: {code: 429}}", see, said=0.3, others=second, tell=_of_two).judged()
    assert found["policy"].verdict is Verdict.VERIFIED and found["lost"].verdict is Verdict.VERIFIED


def test_what_another_policy_answers_is_delayed_as_often() -> None:
    """A quarter is answered by another policy, after the wait if there is one: those count as much as the others."""
    late = policy("{delay: {fixed: 100ms}}", name="late", percentage=30)

    def see(random: Random, at: float, sent: int) -> tuple[Key, float]:
        waits, answered = random.random() < 0.3, random.random() < 0.25
        names = ",".join(["p"] * answered + ["late"] * waits)
        return (BUSY if answered else OK)._replace(policy=names), 0.002 + 0.1 * waits

    run = Run("{status: {code: 429}}", see, percentage=25, said=0.25, others=late, tell=_beside)
    assert run.judged()["policy"].verdict is Verdict.VERIFIED


def _beside(counters: Any, sent: int, met: int) -> None:
    """The delay is met, whoever answers then."""
    counted = counters["policies"][""]
    counted["late"] = counted["p"] | {"met": int(sent * 0.3)}


def _of_two(counters: Any, sent: int, met: int) -> None:
    """The second is drawn for all requests, and met by those that are not answered already."""
    first = counters["policies"][""]["p"]
    both = sent // 2 - (met - first["met"])
    counters["policies"][""]["q"] = first | {"met": sent // 2, "preceded": both}


# ---------------------------------------------------------------------------------------------- upstream


def attempts(share: float, most: int = 3) -> Seen:
    """A gateway whose attempts fail by this share, and are made again."""

    def see(random: Random, at: float, sent: int) -> tuple[Key, float]:
        for attempt in range(1, most + 1):
            if random.random() >= share:
                return OK._replace(attempts=attempt), 0.001
        return OK._replace(attempts=most, status=503), 0.001

    return see


def test_upstream_it_is_the_share_of_attempts() -> None:
    upstream = {"more": "scope: upstream", "rule": RETRIES}
    found = Run("{reset: {}}", attempts(0.3), said=0.3, **upstream).judged()
    assert {found[name].verdict for name in ("policy", "residual")} == {Verdict.VERIFIED}
    assert Run("{reset: {}}", attempts(0.24), said=0.24, **upstream).judged()["policy"].verdict is Verdict.FALSIFIED


def test_upstream_of_a_gateway_that_does_not_retry_the_retries_are_falsified() -> None:
    found = Run("{reset: {}}", attempts(0.3, most=1), said=0.3, more="scope: upstream", rule=RETRIES).judged()
    assert found["policy"].verdict is Verdict.VERIFIED and found["residual"].verdict is Verdict.FALSIFIED


def test_upstream_what_a_circuit_breaker_refuses_is_no_attempt() -> None:
    """Half of the requests; of the others' attempts 90 % hang until the route's timeout."""

    def see(random: Random, at: float, sent: int) -> tuple[Key, float]:
        if sent % 2:
            return OK._replace(status=503), 0.001
        return OK._replace(status=504 if random.random() < 0.9 else 200), 0.1

    def refused(counters: Any, sent: int, met: int) -> None:
        ledger = Ledger("", b"", False).as_json() | {"failures": {"UO": sent // 2}}
        counters["phases"][""] = {"virtualservice/default/web/0": ledger}

    run = Run("{stall: {}}", see, percentage=90, said=0.9, more="scope: upstream", tell=refused)
    assert run.judged()["policy"].verdict is Verdict.VERIFIED


@pytest.mark.parametrize("fault", ["{delay: {fixed: 1s}}", "{sequence: {first: 5}}", "{quota: {rate: 5}}"])
def test_upstream_when_and_how_long_are_not_judged(fault: str) -> None:
    found = Run(fault, attempts(0.0), percentage=100, more="scope: upstream", rule=RETRIES, seconds=5).judged()
    (claim,) = (each for name, each in found.items() if name.startswith("policy"))
    assert claim.verdict is Verdict.NOT_JUDGED and "beneath the retries nobody sees" in claim.sentence


# ---------------------------------------------------------------------------------------------- order and time


def by(failing: Callable[[float, int], bool]) -> Seen:
    return lambda random, at, sent: (DOWN if failing(at, sent) else OK, 0.001)


def sequence(order: str, failing: Callable[[float, int], bool], seconds: int = 20) -> Finding:
    found = Run(f"{{sequence: {{{order}}}}}", by(failing), percentage=100, seconds=seconds).judged()
    return found["policy-sequence"]


def test_each_nth() -> None:
    assert sequence("every: 5", lambda at, sent: sent % 5 == 4).verdict is Verdict.VERIFIED
    assert sequence("every: 5", lambda at, sent: sent % 4 == 3).verdict is Verdict.FALSIFIED


def test_the_first() -> None:
    assert sequence("first: 100", lambda at, sent: sent < 100).verdict is Verdict.VERIFIED
    assert sequence("first: 100", lambda at, sent: sent < 99).verdict is Verdict.FALSIFIED
    assert sequence("first: 100", lambda at, sent: sent < 101).verdict is Verdict.FALSIFIED
    assert sequence("first: 30000", lambda at, sent: True).verdict is Verdict.INCONCLUSIVE  # of 20 000


@pytest.mark.parametrize("again", [None, 14.0])
def test_an_outage(again: float | None) -> None:
    order = f"outage: {{after: 3s, for: 8s{'' if again is None else f', every: {again:g}s'}}}"

    def down(at: float, late: float = 0.0, longer: float = 0.0) -> bool:
        since = at - 3 - late
        since = since % again if again is not None and since >= 0 else since
        return 0 <= since < 8 + longer

    assert sequence(order, lambda at, sent: down(at)).verdict is Verdict.VERIFIED
    assert sequence(order, lambda at, sent: down(at, late=2.5)).verdict is Verdict.FALSIFIED
    assert sequence(order, lambda at, sent: down(at, longer=2.5)).verdict is Verdict.FALSIFIED
    assert sequence(order, lambda at, sent: down(at) and sent % 9 > 0).verdict is Verdict.FALSIFIED


def test_a_ramp() -> None:
    dice = Random(5)

    def failing(over: float) -> Callable[[float, int], bool]:
        return lambda at, sent: dice.random() < 0.5 * min(1.0, at / over)

    order = "ramp: {over: 20s, from: 0, to: 50}"
    assert sequence(order, failing(20), seconds=25).verdict is Verdict.VERIFIED
    assert sequence(order, failing(14), seconds=25).verdict is Verdict.FALSIFIED


def test_a_window_of_its_own() -> None:
    """A share, in force for a while: what is outside shows as well."""

    def see(opens: float) -> Seen:
        met = drawn(0.3, BUSY)
        return lambda random, at, sent: met(random, at, sent) if opens <= at < opens + 20 else (OK, 0.001)

    window = {"more": "when: {after: 5s, for: 20s}", "seconds": 30, "targeted": 20 * RATE}
    assert Run("{status: {code: 429}}", see(5), **window).judged()["policy"].verdict is Verdict.VERIFIED
    assert Run("{status: {code: 429}}", see(2), **window).judged()["policy"].verdict is Verdict.FALSIFIED


@pytest.mark.parametrize(("passing", "verdict"), [(100, Verdict.VERIFIED), (120, Verdict.FALSIFIED)])
def test_a_quota(passing: int, verdict: Verdict) -> None:
    def see(random: Random, at: float, sent: int) -> tuple[Key, float]:
        return (OK if sent % RATE < passing else BUSY), 0.001

    run = Run("{quota: {rate: 100}}", see, percentage=100)
    assert run.judged()["policy-quota"].verdict is verdict


def test_a_quota_that_is_never_reached_is_open() -> None:
    found = Run("{quota: {rate: 2000}}", drawn(0.0, OK), percentage=100).judged()["policy-quota"]
    assert found.verdict is Verdict.INCONCLUSIVE and "never above" in found.sentence


# ---------------------------------------------------------------------------------------------- waits


def waits(p50: float, sigma: float, share: float = 0.5) -> Seen:
    """A gateway whose delays are lognormal."""

    def see(random: Random, at: float, sent: int) -> tuple[Key, float]:
        base = 0.002 + random.expovariate(1000)
        if random.random() < share:
            return TAGGED, base + p50 * random.lognormvariate(0, sigma)
        return OK, base

    return see


SIGMA = 0.98977  # of p50 20 ms and p99 200 ms
LOGNORMAL = "{delay: {lognormal: {p50: 20ms, p99: 200ms}}}"


def test_a_distribution_is_verified_and_so_is_the_share() -> None:
    found = Run(LOGNORMAL, waits(0.02, SIGMA), percentage=50).judged()
    assert {found[name].verdict for name in ("policy", "policy-wait")} == {Verdict.VERIFIED}


@pytest.mark.parametrize(("p50", "sigma"), [(0.04, SIGMA), (0.012, SIGMA), (0.02, 0.3), (0.0, SIGMA)])
def test_another_distribution_is_falsified(p50: float, sigma: float) -> None:
    found = Run(LOGNORMAL, waits(p50, sigma), percentage=50, seconds=30).judged()
    assert (found["policy-wait"].verdict, found["policy-wait"].cause) == (Verdict.FALSIFIED, "delay")


def test_where_every_request_waits_only_too_short_waits_are_seen() -> None:
    found = Run(LOGNORMAL, waits(0.02, SIGMA, share=1.0), percentage=100).judged()["policy-wait"]
    assert found.verdict is Verdict.NOT_JUDGED
    found = Run(LOGNORMAL, waits(0.001, SIGMA, share=1.0), percentage=100).judged()["policy-wait"]
    assert found.verdict is Verdict.FALSIFIED


@pytest.mark.parametrize("fault", ["{delay: {fixed: 100ms}}", "{dribble: {chunks: 4, over: 100ms}}"])
def test_a_tag_alone_delays_nothing(fault: str) -> None:
    assert Run(fault, drawn(0.3, TAGGED, late=0.1)).judged()["policy"].verdict is Verdict.VERIFIED
    assert Run(fault, drawn(0.3, TAGGED)).judged()["policy"].verdict is Verdict.FALSIFIED


def test_slowed_bodies_are_slower() -> None:
    found = Run("{bandwidth: {rate: 1000}}", drawn(0.5, TAGGED, late=0.05), percentage=50).judged()
    assert found["policy-slower"].verdict is Verdict.VERIFIED
    found = Run("{bandwidth: {rate: 1000}}", drawn(0.5, TAGGED), percentage=50).judged()
    assert (found["policy-slower"].verdict, found["policy-slower"].cause) == (Verdict.FALSIFIED, "tagged-only")


def test_right_gateways_are_hardly_ever_falsified() -> None:
    """Twenty of each of two kinds, with alpha 1 % a run: none here, with these seeds."""
    assert not any(_falsified(seed) for seed in range(20))


def _falsified(seed: int) -> bool:
    runs: Iterator[Run] = iter(
        (Run("{reset: {}}", drawn(0.3, RESET), seconds=5), Run(LOGNORMAL, waits(0.02, SIGMA, 0.3), seconds=5))
    )
    return any(each.verdict is Verdict.FALSIFIED for run in runs for each in run.judged(seed).values())
