"""Every kind of fault in the table comes all the way, from a rule in a file to what is claimed of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import get_args

import pytest
from support.faults import PARAMETERS, written
from support.mesh import decide, load_resources, virtual_service
from support.scripted import gateway, get, upstream

from chaos.claims.effects import PhaseEffects
from chaos.claims.expectations import expectations
from chaos.claims.expected_outcomes import expected_outcomes
from chaos.claims.kinds import KINDS
from chaos.claims.routing import effects_of
from chaos.experiment.tasks import LoadTask
from chaos.faults import FaultKind, RuleFault
from chaos.mesh.check.report import findings
from chaos.mesh.compile.rules import Rules, compile_rules
from chaos.mesh.decision import Endpoint, Request
from chaos.mesh.draws import FixedDraws
from chaos.mesh.explain.asking import explain
from chaos.mesh.upstream.registry import Registry
from chaos.protocol.digest import Key
from chaos.protocol.parts import FORWARDED, total_of

pytestmark = pytest.mark.parametrize("kind", FaultKind)
TASK = LoadTask("home", "GET", "http://web/")


def document(fault: str) -> str:
    return virtual_service(f"- fault: {fault}\n  route: [{{destination: {{host: web}}}}]")


def faulty(kind: FaultKind, percent: float = 100, port: int = 80) -> Rules:
    registry = Registry.of([("web", 80, [Endpoint("127.0.0.1", port)])])
    return compile_rules(load_resources(document(written(kind, percent))), registry)


def test_it_is_configured_in_a_class_of_its_own(kind: FaultKind):
    assert [each.kind for each in get_args(RuleFault)].count(kind) == 1
    (fault,) = faulty(kind, 25).rules[0].faults
    assert (fault.kind, fault.share) == (kind, 0.25)


def test_it_is_enough_of_a_fault_and_its_percentage_is_checked(kind: FaultKind):
    assert findings(load_resources(document(written(kind)))) == []
    assert any("120" in each.message for each in findings(load_resources(document(written(kind, 120)))))
    told = findings(load_resources(document(f"{{{kind}: {{{PARAMETERS[kind]}}}}}")))
    assert any(kind.happened in each.message for each in told)


def test_it_is_explained(kind: FaultKind):
    found = explain(faulty(kind, 25), Request.parse("GET http://web/"))
    assert any(line.startswith(kind) and "25 % of the requests" in line for line in str(found).splitlines())
    assert found.to_dict()["rule"][kind]["share"] == 0.25


def test_it_has_a_draw_of_its_own(kind: FaultKind):
    """It fires below its percentage and not from there on, whatever is drawn for the other kinds."""
    others = dict.fromkeys(FaultKind, 0.999)
    rules = faulty(kind, 50)
    spared, met = (decide(rules, "/", FixedDraws(others=others | {kind: draw})) for draw in (0.5, 0.4999))
    assert (spared.fault, met.fault) == ("", kind)
    assert decide(rules, "/", FixedDraws(others=dict.fromkeys(FaultKind, 0.0) | {kind: 0.5})).fault == ""


async def test_the_gateway_does_it_tags_it_and_counts_it(kind: FaultKind):
    """A client sees it in the status, the body or the time, not in the tag alone: a response of its own kind."""
    async with upstream() as web, gateway(faulty(kind, port=web.port)) as proxy:
        started = asyncio.get_running_loop().time()
        faulted = await proxy.ask(get())
        took = asyncio.get_running_loop().time() - started
        await proxy.control.enter_phase("spared", True, {kind: 0.0})
        plain = await proxy.ask(get())
        counted = proxy.counts()["faults"]
    assert faulted.values("x-chaos-fault") == [kind] and plain.values("x-chaos-fault") == []
    assert counted == {kind: 1}
    late = kind is FaultKind.DELAY and took >= 0.05
    assert late or (faulted.status, faulted.body) != (plain.status, plain.body)


def test_it_is_expected_and_claimed_and_its_draws_are_checked(kind: FaultKind):
    (effect,) = effects_of(faulty(kind, 25), [TASK])
    outcomes = expected_outcomes(effect)
    assert sum(each.share for each in outcomes if each.fault == kind) == pytest.approx(0.25)
    assert [each.fault for each in KINDS].count(kind) == 1
    for faults, share in ((True, 0.25), (False, 0.0)):
        claims = expectations([PhaseEffects("", (effect,), faults)])
        assert [each.share for each in claims if each.fault == kind] == [share]
    (claim,) = (each for each in expectations([PhaseEffects("", (effect,))]) if each.fault == kind)
    local = claim.classify(Key("", "home", effect.name, "", 204))
    assert (local is None) is kind.of_forwarded is (total_of(claim.draw) == FORWARDED)
    always = replace(effect, faults=faulty(kind).rules[0].faults)
    assert any(each.fault == kind for each in expectations([PhaseEffects("", (always,))]))
