"""When a policy is in force: its phase, the stretch of it, and how many requests it may have at a time."""

from __future__ import annotations

from typing import Any

import pytest
from support.clock import Clock
from support.mesh import virtual_service
from support.policies import policy, rules
from support.scripted import InProcess, gateway, get, hangs, until, upstream

from chaos.policies.compiled import policies_of
from chaos.protocol.counters import PolicyCounters
from chaos.protocol.digest import BY_HAND

ROUTE = virtual_service("- route: [{destination: {host: web}}]")
RULE = "virtualservice/default/web/0"
FAULTED = virtual_service(
    "- fault: {abort: {percentage: {value: 0}, httpStatus: 500}}\n  route: [{destination: {host: web}}]"
)


async def status(proxy: InProcess) -> int:
    return (await proxy.ask(get())).status


def counts(proxy: InProcess) -> dict[str, dict[str, PolicyCounters]]:
    return proxy.worker.counters()["policies"]


async def test_it_is_in_force_after_and_for_as_long_as_it_says():
    clock = Clock()
    written = policy("{status: {code: 418}}", more="when: {after: 5s, for: 10s}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port), clock=clock) as proxy:
        seen = []
        for _ in range(4):  # at 0 s, 5 s, 10 s, 15 s
            seen.append(await status(proxy))
            clock.advance(5)
        assert seen == [200, 418, 418, 200]
        assert counts(proxy)[""]["p"] == {"targeted": 2, "met": 2, "full": 0, "left": 0, "left_met": 0, "preceded": 0}
        await proxy.control.enter_phase("next", True, {})  # time begins anew
        assert await status(proxy) == 200
        clock.advance(5)
        assert await status(proxy) == 418


async def test_it_is_in_force_in_its_phase_alone():
    written = policy("{status: {code: 418}}", more="when: {phase: storm}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        seen = [await status(proxy)]
        for phase in ("calm", "storm", "after"):
            await proxy.control.enter_phase(phase, True, {})
            seen.append(await status(proxy))
        assert seen == [200, 200, 418, 200]
        assert counts(proxy).keys() == {"storm"}


async def test_a_phase_without_faults_has_none():
    written = policy("{status: {code: 418}}", more="when: {phase: storm}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        await proxy.control.enter_phase("storm", False, {})
        assert await status(proxy) == 200


async def test_a_level_set_by_hand_leaves_it_in_force():
    """Requests count as changed by hand; the phase, and its time, go on."""
    clock = Clock()
    written = policy("{status: {code: 418}}", more="when: {phase: storm, after: 5s}")
    async with upstream() as web, gateway(rules(FAULTED, written, port=web.port), clock=clock) as proxy:
        await proxy.control.enter_phase("storm", True, {})
        assert await status(proxy) == 200  # the first request, with which the phase begins
        clock.advance(4)
        proxy.worker.set_levels({RULE: {"abort": 100.0}})
        assert await status(proxy) == 500
        clock.advance(1)
        assert await status(proxy) == 418
        assert counts(proxy)[BY_HAND]["p"]["met"] == 1
        await proxy.control.switch_faults(False)
        assert await status(proxy) == 200


async def test_rules_that_are_read_again_keep_counts_and_order():
    written = policy("{sequence: {first: 2}}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        assert await status(proxy) == 503
        proxy.worker.use(rules(ROUTE, written, port=web.port))
        assert [await status(proxy), await status(proxy)] == [503, 200]
        assert counts(proxy)[""]["p"]["met"] == 2
        proxy.worker.use(rules(ROUTE, policy("{sequence: {first: 1}}"), port=web.port))  # another order begins
        assert [await status(proxy), await status(proxy)] == [503, 200]
        assert counts(proxy)[""]["p"] == {"targeted": 5, "met": 3, "full": 0, "left": 0, "left_met": 0, "preceded": 0}
        proxy.worker.use(rules(ROUTE, port=web.port))
        assert await status(proxy) == 200 and counts(proxy)[""]["p"]["targeted"] == 5


@pytest.mark.parametrize("scope", ["downstream", "upstream"])
async def test_no_more_than_max_active_wait_at_a_time(scope: str):
    clock = Clock()
    written = policy("{delay: {fixed: 10s}}", more=f"maxActive: 2\nscope: {scope}")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port), clock=clock) as proxy:
        clients = [await proxy.open() for _ in range(4)]
        for number, client in enumerate(clients):
            client.writer.write(get())
            if number < 2:
                await until(lambda number=number: counts(proxy) and counts(proxy)[""]["p"]["met"] == number + 1)
            else:
                assert (await client.answer()).values("x-chaos-policy") == []
        assert counts(proxy)[""]["p"]["full"] == 2 and len(web.heads) == 2
        clock.advance(10)
        for client in clients[:2]:
            assert (await client.answer()).status == 200
        clients[3].writer.write(get())  # there is room again
        await until(lambda: counts(proxy)[""]["p"]["met"] == 3)


async def test_a_client_that_leaves_makes_room():
    written = policy("{delay: {fixed: 1h}}", more="maxActive: 1")
    async with upstream() as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        for met in (1, 2):
            client = await proxy.open()
            client.writer.write(get())
            await until(lambda met=met: counts(proxy) and counts(proxy)[""]["p"]["met"] == met)
            client.close()
            await until(lambda: not proxy.worker.connections)
        assert counts(proxy)[""]["p"]["full"] == 0


async def test_rules_that_are_read_again_know_who_is_under_it():
    written = policy("{delay: {fixed: 1h}}", more="maxActive: 1")
    async with upstream(hangs) as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        first = await proxy.open()
        first.writer.write(get())
        await until(lambda: counts(proxy) and counts(proxy)[""]["p"]["met"] == 1)
        proxy.worker.use(rules(ROUTE, written, port=web.port))
        (await proxy.open()).writer.write(get())
        await until(lambda: web.heads)  # it is forwarded
        assert counts(proxy)[""]["p"]["full"] == 1


@pytest.mark.parametrize(
    ("fault", "settings", "all_of_them"),
    [
        ("{status: {code: 503}}", {}, True),
        ("{close: {}}", {"more": "when: {phase: storm}"}, True),
        ("{status: {code: 503}}", {"percentage": 99}, False),
        ("{status: {code: 503}}", {"more": "maxActive: 1"}, False),
        ("{status: {code: 503}}", {"more": "when: {for: 5s}"}, False),
        ("{status: {code: 503}}", {"more": "scope: upstream"}, False),
        ("{reset: {bytes: 3}}", {}, False),
        ("{delay: {fixed: 5s}}", {}, False),
        ("{sequence: {first: 1}}", {}, False),
        ("{quota: {rate: 1}}", {}, False),
    ],
)
def test_rules_see_no_requests_where_a_policy_takes_them_all(fault: str, settings: dict[str, Any], all_of_them: bool):
    """Then nothing is claimed of them; anywhere else they are judged as ever."""
    (found,) = policies_of(rules(ROUTE, policy(fault, **settings)))
    assert found.takes_all is all_of_them
