"""Fault levels that somebody sets by hand: they are in force at once, told, undone, and counted apart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from support.mesh import rules_of
from support.scripted import InProcess, gateway, get

from chaos.gateway.process.app import admin
from chaos.gateway.process.options import GatewayOptions, bind
from chaos.protocol.digest import BY_HAND
from chaos.protocol.fault_levels import NAMES, read_levels, write_levels

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - match: [{uri: {prefix: /named}, name: one}, {uri: {prefix: /other}, name: two}]
    fault: {abort: {percentage: {value: 100}, httpStatus: 418}}
    directResponse: {status: 200}
  - fault:
      abort: {percentage: {value: 0}, httpStatus: 503}
      delay: {percentage: {value: 0}, fixedDelay: 5s}
    directResponse: {status: 200}
"""
NAMED, REST = "virtualservice/default/web/0", "virtualservice/default/web/1"


class Api:
    def __init__(self, proxy: InProcess, session: aiohttp.ClientSession):
        self.proxy, self._session = proxy, session

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self._session.request(method, path, json=body) as response:
            return response.status, await response.json()

    async def status(self, target: str = "/") -> int:
        return (await self.proxy.ask(get(target))).status


@asynccontextmanager
async def api() -> AsyncIterator[Api]:
    rules = rules_of(RULES)
    listener = bind("127.0.0.1:0", "--admin")[0]
    options = GatewayOptions(load=lambda: rules, parse=lambda text: rules)
    async with (
        gateway(rules, seed=1) as proxy,
        admin(options, proxy.control, listener),
        aiohttp.ClientSession(f"http://127.0.0.1:{listener.getsockname()[1]}") as session,
    ):
        yield Api(proxy, session)


async def test_a_level_is_in_force_at_once_and_what_is_not_named_stays() -> None:
    async with api() as call:
        assert await call.status() == 200
        status, told = await call.call("PUT", f"/faults/{REST}", {"abort": 100})
        assert (status, told["levels"]) == (200, {"delay": 0, "fixedDelay": "5s", "abort": 100})
        assert told["configured"] == {"delay": 0, "fixedDelay": "5s", "abort": 0}
        assert await call.status() == 503
        await call.call("PUT", f"/faults/{REST}", {"delay": 100, "fixedDelay": "1ms"})
        answer = await call.proxy.ask(get())
        assert (answer.status, answer.first("x-chaos-fault")) == (503, "delay,abort")
        assert await call.call("GET", f"/faults/{REST}") == (200, (await call.call("GET", "/faults"))[1]["rules"][1])
        await call.call("DELETE", f"/faults/{REST}")
        assert await call.status() == 200


async def test_every_match_entry_of_a_rule_has_it() -> None:
    async with api() as call:
        assert [await call.status(target) for target in ("/named", "/other", "/")] == [418, 418, 200]
        await call.call("PUT", f"/faults/{NAMED.replace('/', '%2F')}", {"abort": 0})
        assert [await call.status(target) for target in ("/named", "/other", "/")] == [200, 200, 200]


async def test_requests_are_counted_apart_until_it_is_undone() -> None:
    async with api() as call:
        await call.call("PUT", "/phase", {"name": "fault"})
        await call.status()
        await call.call("PUT", f"/faults/{REST}", {"abort": 100})
        await call.status()
        assert (await call.call("GET", "/counters"))[1]["by_hand"] == ["web[1].abort=100"]
        await call.call("PUT", f"/faults/{REST}", {"abort": 0})  # as the rules have it
        await call.status()
        assert (await call.call("GET", "/faults"))[1]["by_hand"] == []
        phases = (await call.call("GET", "/counters"))[1]["phases"]
        assert {name: rules[REST]["requests"] for name, rules in phases.items() if rules} == {"fault": 2, BY_HAND: 1}


@pytest.mark.parametrize("undo", ["phase", "rules", "delete"])
async def test_what_undoes_all_of_it(undo: str) -> None:
    async with api() as call:
        await call.call("PUT", f"/faults/{REST}", {"abort": 100})
        await call.call("PUT", "/faults", {"enabled": False})
        assert (await call.call("GET", "/faults"))[1]["by_hand"] == ["faults off", "web[1].abort=100"]
        match undo:
            case "phase":
                await call.call("PUT", "/phase", {"name": "next"})
            case "delete":
                await call.call("DELETE", "/faults")
            case _:
                await call.proxy.control.replace(None)
                await call.call("PUT", "/faults", {"enabled": True})
        assert (await call.call("GET", "/faults"))[1]["by_hand"] == []
        assert [await call.status(target) for target in ("/named", "/")] == [418, 200]
        assert (await call.call("GET", "/phase"))[1] == {
            "name": "next" if undo == "phase" else "", "faults": True, "scale": {},
        }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        (REST, {"abort": 101}, 400, "abort must be a percentage from 0 to 100"),
        (REST, {"abort": True}, 400, "abort must be a percentage from 0 to 100"),
        (REST, {"fixedDelay": 5}, 400, "fixedDelay must be a duration from 1ms to 24h, like 250ms"),
        (REST, {"fixedDelay": "-5s"}, 400, "fixedDelay must be a duration from 1ms to 24h, like 250ms"),
        (REST, {"latency": 5}, 400, 'web[1] has no fault level "latency"; it has abort, delay, fixedDelay'),
        (NAMED, {"delay": 5}, 400, 'web[0] has no fault level "delay"; it has abort'),
        (REST, {}, 400, 'name a level, like {"abort": 10}'),
        ("nothing", {"abort": 1}, 404, "there is no rule with this key; GET /rules lists them"),
    ],
)
async def test_what_is_wrong_is_said_and_changes_nothing(path: str, body: Any, status: int, message: str) -> None:
    async with api() as call:
        assert await call.call("PUT", f"/faults/{path}", body) == (status, {"error": message})
        assert (await call.call("GET", "/faults"))[1]["by_hand"] == []


def test_levels_are_written_so_that_they_are_read_back_unchanged() -> None:
    assert set(NAMES) == {"delay", "abort", "fixedDelay", "percentage"}
    for seconds in (0.001, 0.25, 1.23456, 90.0, 0.0012345, 86400.0):
        levels = {"abort": 0.0001, "fixedDelay": seconds}
        assert read_levels(write_levels(levels)) == levels
