"""Phases, the faults' switch and scale, and counters over them."""

from __future__ import annotations

import uuid

import pytest
from support.decisions import ABORT_REPLY, HandRules, aborting, decided, direct, to
from support.scripted import gateway, get

from chaos.faults import FaultKind
from chaos.gateway.state.counters import Ledger, merge
from chaos.gateway.state.worker_state import Scaled
from chaos.mesh.decision import Abort, Decision, Draws, Request
from chaos.mesh.draws import FixedDraws
from chaos.protocol.digest import BY_HAND

SOME = 2_000


def half(request: Request, draws: Draws) -> Decision:
    """Half are aborted, independently a quarter delayed by nothing much."""
    delay = 1e-4 if draws.fault(FaultKind.DELAY) < 0.25 else 0.0
    return decided(Abort(ABORT_REPLY) if draws.fault(FaultKind.ABORT) < 0.5 else direct(200, b"ok"), delay)


@pytest.mark.parametrize(
    ("scale", "draw", "covers"),
    [(1.0, 0.3, True), (0.5, 0.3, False), (0.5, 0.24, True), (2.0, 0.9, True), (0.0, 0.0, False), (3.0, 0.999, True)],
)
def test_scaling_a_draw_scales_the_probability(scale: float, draw: float, covers: bool) -> None:
    """`draw / s < p` is `draw < p * s`, here for p = 0.5; with 0 nothing ever happens, not even at 100 %."""
    scaled = Scaled(FixedDraws(split=0.7, others=dict.fromkeys(FaultKind, draw)), dict.fromkeys(FaultKind, scale))
    assert all((scaled.fault(kind) < 0.5) == covers for kind in FaultKind)
    assert scaled.split == 0.7
    if scale == 0.0:
        assert not scaled.fault(FaultKind.ABORT) < 1.0


async def _aborted(proxy: object, count: int = SOME) -> set[bytes]:
    """The ids, of `count` fixed ones, whose requests are aborted now."""
    client = await proxy.open()  # type: ignore[attr-defined]
    client.writer.write(b"".join(get("/", f"x-request-id: {n}") for n in range(count)))
    return {b"%d" % n for n in range(count) if (await client.answer()).status == 503}


async def test_the_same_seed_and_ids_give_the_same_faults() -> None:
    found = []
    for seed in (1, 1, 2):
        async with gateway(HandRules(half), seed=seed) as proxy:
            found.append(await _aborted(proxy))
    assert found[0] == found[1] != found[2]
    assert abs(len(found[0]) - SOME / 2) < 5 * (SOME / 4) ** 0.5


async def test_faults_can_be_switched_off_and_on_and_scaled() -> None:
    async with gateway(HandRules(half), seed=1) as proxy:
        whole = await _aborted(proxy)
        await proxy.control.switch_faults(False)
        assert await _aborted(proxy) == set()
        await proxy.control.switch_faults(True)
        assert await _aborted(proxy) == whole
        await proxy.control.enter_phase("ramp", True, {"abort": 0.5})
        some = await _aborted(proxy)
        assert some < whole and abs(len(some) - SOME / 4) < 5 * (SOME * 3 / 16) ** 0.5
        await proxy.control.enter_phase("after", True, {})
        assert await _aborted(proxy) == whole


async def test_what_is_decided_while_faults_are_switched_by_hand_is_counted_apart() -> None:
    async with gateway(aborting(), seed=1) as proxy:
        await proxy.control.enter_phase("fault", True, {})
        for enabled in (True, False, True):
            await proxy.control.switch_faults(enabled)
            await proxy.ask(get())
        await proxy.control.enter_phase("baseline", False, {})
        assert not (await proxy.control.faults())["enabled"]
        for enabled in (False, True):
            await proxy.control.switch_faults(enabled)
            await proxy.ask(get())
        assert (await proxy.control.faults())["enabled"]
        phases = (await proxy.control.counters())["phases"]
    counted = {name: sum(rule["requests"] for rule in rules.values()) for name, rules in phases.items() if rules}
    assert counted == {"fault": 2, BY_HAND: 2, "baseline": 1}


async def test_each_phase_has_counts_of_its_own() -> None:
    async with gateway(aborting(), seed=1) as proxy:
        await proxy.ask(get())
        await proxy.control.enter_phase("fault", True, {})
        await proxy.ask(get())
        await proxy.ask(get())
        await proxy.control.enter_phase("", True, {})
        await proxy.ask(get())
        assert [proxy.counts(phase)["faults"] for phase in ("", "fault")] == [{"abort": 2}] * 2


async def test_new_rules_go_on_counting_by_key() -> None:
    async with gateway(aborting()) as proxy:
        await proxy.ask(get())
        proxy.worker.use(aborting())
        await proxy.ask(get())
        counters = await proxy.control.counters()
        assert counters["generation"] == 2
        assert proxy.counts()["faults"] == {"abort": 2}


async def test_requests_without_a_route_are_counted_apart() -> None:
    from support.decisions import NOT_FOUND

    async with gateway(HandRules(lambda request, draws: Decision(NOT_FOUND))) as proxy:
        for _ in range(3):
            assert (await proxy.ask(get())).values("x-chaos-route") == []
        counters = await proxy.control.counters()
        assert (counters["unmatched"], counters["phases"]) == (3, {"": {}})


async def test_refused_requests_are_no_rules_business() -> None:
    async with gateway(to(None)) as proxy:
        await proxy.ask(b"HELLO\r\n\r\n")
        counters = await proxy.control.counters()
        assert (counters["unmatched"], counters["phases"]) == (0, {"": {}})


async def test_a_gateway_gives_ids_of_its_own_and_draws_by_the_clients() -> None:
    """As Envoy at the edge: upstream sees another id, and the faults still follow from what the client sent."""
    rules = HandRules(half)
    rules.replaces_request_ids = True  # type: ignore[attr-defined]
    async with gateway(rules, seed=1) as edge, gateway(HandRules(half), seed=1) as sidecar:
        assert await _aborted(edge) == await _aborted(sidecar)
        assert uuid.UUID(rules.seen[0].id.decode())
        first = (await edge.control.faulted(0))["faulted"][0]
        assert first["id"].isdecimal()


async def test_faulted_requests_are_remembered_up_to_a_limit_and_counted_beyond() -> None:
    from chaos.gateway.state.faulted import Faulted

    async with gateway(aborting(delay=1e-4)) as proxy:
        proxy.worker.faulted = Faulted(limit=3)
        for n in range(5):
            await proxy.ask(get(f"/{n}?q", f"x-request-id: {n}"))
        await proxy.control.enter_phase("next", True, {})
        await proxy.ask(get("/5", "x-request-id: 5", method="DELETE"))
        found = await proxy.control.faulted(0)
        assert (found["total"], found["next"]) == (6, 4)
        assert [entry["target"] for entry in found["faulted"]] == ["/0?q", "/1?q", "/2?q", "/5"]
        assert found["faulted"][3] == {
            "id": "5", "method": "DELETE", "target": "/5", "authority": "web", "rule": "virtualservice/default/web/0",
            "fault": "delay,abort", "phase": "next",
        }  # fmt: skip
        assert (await proxy.control.faulted(4))["faulted"] == []


def test_counters_of_workers_add_up() -> None:
    def report(requests: int, statuses: dict[int, int], phase: str) -> dict[str, object]:
        ledger = Ledger("k", b"", True)
        ledger.requests = requests
        ledger.statuses.update(statuses)
        common = {"generation": 2, "workers": 1, "connections": 3, "cpu_seconds": 0.5, "unmatched": 1}
        return common | {"seconds": float(requests), "phases": {phase: {"k": ledger.as_json()}}}

    total = merge([report(3, {200: 2, 503: 1}, "a"), report(4, {200: 4}, "a"), report(1, {200: 1}, "b")])
    assert (total["generation"], total["seconds"], total["workers"]) == (2, 4.0, 3)
    assert (total["connections"], total["cpu_seconds"], total["unmatched"]) == (9, 1.5, 3)
    assert (total["phases"]["a"]["k"]["requests"], total["phases"]["b"]["k"]["requests"]) == (7, 1)
    assert total["phases"]["a"]["k"]["statuses"] == {"200": 6, "503": 1}
