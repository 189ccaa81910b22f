"""Random sets of documents mean here what they mean in Istio: a real Envoy, configured by istiod's own code, answered
the same requests once (record_istio.py), and our gateway gives its answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gateway import Gateway
from support.istio_recorded import RecordedSet, written
from support.raw_client import send
from support.upstreams import Upstreams

SETS = sorted((Path(__file__).parent / "istio_sets").glob("*.json"))
IN_MAKE_TEST = [
    path if index % 10 == 0 else pytest.param(path, marks=pytest.mark.slow) for index, path in enumerate(SETS)
]
EMPTY = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec: {}\n"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """One process for all sets; each puts its own rules, services and proxy in."""
    running = Gateway(EMPTY)
    running.start()
    yield running
    running.stop()


def differs(recorded: dict[str, Any], got: dict[str, Any]) -> bool:
    """Return whether an answer is another one; of several endpoints that may get a request one has to."""
    allowed, reached = recorded.get("to", []), got.get("to", [])
    return (
        {**recorded, "to": []} != {**got, "to": []}
        or not set(reached) <= set(allowed)
        or bool(allowed) != bool(reached)
    )


@pytest.mark.parametrize("path", IN_MAKE_TEST, ids=lambda path: path.stem)
async def test_the_gateway_answers_as_an_envoy_that_istiod_configures(path: Path, gateway: Gateway) -> None:
    recorded = RecordedSet.read(json.loads(await asyncio.to_thread(path.read_text)))
    found = []
    async with Upstreams(recorded.pods) as upstreams:
        await asyncio.to_thread(gateway.replace, recorded.experiment(upstreams.ports))
        for number, request in enumerate(recorded.requests):
            identifier = f"{recorded.number}-{number}"
            got = written(await send(gateway.port, request.octets(identifier)), upstreams.seen[identifier])
            if differs(dict(request.answer), got):
                found.append(
                    f"{request.method} {request.host}{request.target} {dict(request.headers)}\n"
                    f"    Istio: {json.dumps(request.answer)}\n    ours:  {json.dumps(got)}"
                )
    assert not found, f"{recorded.experiment(upstreams.ports)}\n" + "\n".join(found)


def test_there_are_three_hundred() -> None:
    assert len(SETS) == 300
