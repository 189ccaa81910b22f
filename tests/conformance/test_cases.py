"""Our gateway gives the answers that Istio and Envoy give: every file in `cases/`, through both, request by request.

Three claims: our gateway does what the cases say; the real Envoy, configured as Istio would, does it too; and wherever
the cases say nothing, down to the single header, the two agree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from support.conformance import Cases, Observation, comparable, differences, load_cases, run_cases, unmet
from support.envoy import Envoy, available
from support.envoy_bootstrap import envoy_bootstrap
from support.gateway import Gateway
from support.upstreams import Upstreams

FILES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
EMPTY = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec: {}\n"
_observed: dict[tuple[str, str], list[Observation]] = {}

WAITING = ("circuit_breakers", "outlier_detection", "traffic_policies")
QUICK_FIRST = [pytest.param(path, marks=pytest.mark.slow) if path.stem in WAITING else path for path in FILES]
with_files = pytest.mark.parametrize("path", QUICK_FIRST, ids=lambda path: path.stem)
with_envoy = [pytest.mark.envoy, pytest.mark.slow, pytest.mark.skipif(not available(), reason="no Envoy here")]
FAULT = [pytest.param(path, marks=pytest.mark.representative) if path.stem == "fault" else path for path in FILES]
and_one_in_make_test = pytest.mark.parametrize("path", FAULT, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """One process for all files; each puts its own rules, services and proxy in."""
    running = Gateway(EMPTY)
    running.start()
    yield running
    running.stop()


async def through_gateway(cases: Cases, gateway: Gateway) -> list[Observation]:
    if ("gateway", cases.name) not in _observed:
        async with Upstreams(cases.endpoints, cases.refusing) as upstreams:
            await asyncio.to_thread(gateway.replace, cases.experiment(upstreams.ports))
            _observed["gateway", cases.name] = await run_cases(cases, gateway.port, upstreams)
    return _observed["gateway", cases.name]


async def through_envoy(cases: Cases) -> list[Observation]:
    if ("envoy", cases.name) not in _observed:
        async with AsyncExitStack() as stack:
            upstreams = await stack.enter_async_context(Upstreams(cases.endpoints, cases.refusing))
            envoy = await stack.enter_async_context(Envoy(envoy_bootstrap(cases.experiment(upstreams.ports))))
            _observed["envoy", cases.name] = await run_cases(cases, envoy.port, upstreams)
    return _observed["envoy", cases.name]


def report(cases: Cases, found: list[list[str]]) -> str:
    """Each request with something to say, and what."""
    pairs = zip(cases.requests, found, strict=True)
    return "\n".join(f"{request.name}:\n    " + "\n    ".join(lines) for request, lines in pairs if lines)


def broken(cases: Cases, observations: list[Observation], *, ours: bool = False) -> str:
    pairs = zip(cases.requests, observations, strict=True)
    return report(cases, [unmet((ours and each.ours) or each.expect, seen) for each, seen in pairs])


@with_files
async def test_our_gateway_does_what_the_case_says(path: Path, gateway: Gateway) -> None:
    cases = load_cases(path)
    wrong = broken(cases, await through_gateway(cases, gateway), ours=True)
    assert not wrong, wrong


class TestBesideEnvoy:
    pytestmark = with_envoy

    @and_one_in_make_test
    async def test_envoy_does_what_the_case_says(self, path: Path) -> None:
        cases = load_cases(path)
        wrong = broken(cases, await through_envoy(cases))
        assert not wrong, wrong

    @and_one_in_make_test
    async def test_our_gateway_and_envoy_agree(self, path: Path, gateway: Gateway) -> None:
        """In status, body, framing, every response header, and all that upstream got; ours is left, Envoy's right."""
        cases = load_cases(path)
        ours, theirs = await through_gateway(cases, gateway), await through_envoy(cases)
        found = []
        for request, own, other in zip(cases.requests, ours, theirs, strict=True):
            left, right = (comparable(one, any_endpoint=request.any_endpoint) for one in (own, other))
            found.append(differences(left, right) if request.ours is None else [])
        wrong = report(cases, found)
        assert not wrong, wrong
