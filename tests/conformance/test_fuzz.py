"""Generated rules, generated requests: our gateway and the real Envoy answer alike.

Hypothesis draws worlds (`support.fuzz`); they are run in batches, one pair of processes for all of a batch's rules. The
same worlds are drawn each time (derandomized); `make fuzz` draws more of them, CHAOS_FUZZ_REQUESTS says how many
requests, CHAOS_FUZZ_SEED which."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from support import fuzz
from support.conformance import Cases, Observation, comparable, differences
from support.envoy import Envoy, available
from support.envoy_bootstrap import envoy_bootstrap
from support.fuzz import REQUESTS_PER_WORLD, World
from support.gateway import Gateway
from support.mesh import load_resources
from support.raw_client import Connection
from support.upstreams import Upstreams

from chaos.mesh.check.admission.resource import validate

pytestmark = [pytest.mark.slow, pytest.mark.envoy, pytest.mark.skipif(not available(), reason="no Envoy here")]

REQUESTS = int(os.environ.get("CHAOS_FUZZ_REQUESTS", "1200"))
SEED = int(os.environ.get("CHAOS_FUZZ_SEED", "1"))
BATCH = 25  # worlds that share a gateway and an Envoy
AT_ONCE = 12
SHOWN = 5  # differences told in full
MIRRORED_SECONDS = 0.2  # until copies have arrived


@dataclass(frozen=True, slots=True)
class Difference:
    world: World
    request: int
    lines: list[str]
    gateway: bool

    def __str__(self) -> str:
        rules = yaml.safe_dump({"http": self.world.http, **self.world.delegates}, sort_keys=False)
        request = self.world.octets(0, self.request, "id").decode("latin-1")
        role = "gateway" if self.gateway else "sidecar"
        return f"--- as a {role}\n{rules}\n{request!r}\nours != envoy's:\n  " + "\n  ".join(self.lines)


def drawn(count: int) -> list[World]:
    found: list[World] = []

    @seed(SEED)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(fuzz.worlds())
    def collect(world: World) -> None:
        if admitted(world):
            found.append(world)

    collect()
    return found[:count]


def admitted(world: World) -> bool:
    """Whether Istio's admission would take the rules."""
    text = yaml.safe_dump_all([*world.documents(0, gateway=False), fuzz.DESTINATION_RULE])
    return not [problem for problem in validate(load_resources(text)) if problem.severity == "error"]


async def observed(port: int, upstreams: Upstreams, batch: list[World]) -> list[list[Observation]]:
    """An observation for each request of each world."""
    gate = asyncio.Queue[Connection]()
    for _ in range(AT_ONCE):
        gate.put_nowait(Connection(port))

    async def one(number: int, index: int) -> Observation:
        connection = await gate.get()
        id_ = f"{number}-{index}"
        answer = await connection.send(batch[number].octets(number, index, id_))
        gate.put_nowait(connection)
        return Observation([answer], upstreams.seen[id_])

    async def world(number: int) -> list[Observation]:
        return [await one(number, index) for index in range(REQUESTS_PER_WORLD)]

    found = await asyncio.gather(*map(world, range(len(batch))))
    await asyncio.sleep(MIRRORED_SECONDS)
    while not gate.empty():
        await gate.get_nowait().close()
    return found


async def run(batch: list[World], *, gateway: bool) -> list[Difference]:
    proxy = {"gateway": "edge" if gateway else "mesh", "labels": {"app": "fuzz"}, "port": 80}
    documents = [fuzz.DESTINATION_RULE, fuzz.GATEWAY]
    for number, world in enumerate(batch):
        documents += world.documents(number, gateway=gateway)
    cases = Cases("fuzz", fuzz.SERVICES, fuzz.REFUSING, tuple(documents), proxy, ())
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(Upstreams(cases.endpoints, cases.refusing))
        theirs = await stack.enter_async_context(Upstreams(cases.endpoints, cases.refusing))
        own = await stack.enter_async_context(Gateway(cases.experiment(ours.ports)))
        envoy = await stack.enter_async_context(Envoy(envoy_bootstrap(cases.experiment(theirs.ports))))
        left = await observed(own.port, ours, batch)
        right = await observed(envoy.port, theirs, batch)
    return [
        Difference(batch[number], index, lines, gateway)
        for number in range(len(batch))
        for index in range(REQUESTS_PER_WORLD)
        if (lines := differences(comparable(left[number][index]), comparable(right[number][index])))
    ]


async def test_generated_rules_mean_the_same_to_our_gateway_and_to_envoy() -> None:
    worlds = drawn(max(REQUESTS // REQUESTS_PER_WORLD, 2))
    found: list[Difference] = []
    for start in range(0, len(worlds), BATCH):
        batch = worlds[start : start + BATCH]
        found += await run(batch, gateway=start // BATCH % 2 == 1)
        if "CHAOS_FUZZ_REQUESTS" in os.environ:
            print(f"{(start + len(batch)) * REQUESTS_PER_WORLD} requests, {len(found)} differences", flush=True)
    assert not found, f"{len(found)} differences\n" + "\n".join(map(str, found[:SHOWN]))
