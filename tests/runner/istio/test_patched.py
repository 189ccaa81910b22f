"""Routes of a run in VirtualServices themselves, with a small API server: put there, changed, taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fake_kubernetes.server import ApiServer
from support.in_mesh import NO_PLAN, abort, case, rules
from support.processes import wait_for

from chaos.engines.istio.copies import copies, fault
from chaos.engines.istio.lease import lease
from chaos.engines.istio.marks import Marks
from chaos.engines.istio.overlay import Generation
from chaos.errors import EnvironmentFailed
from chaos.faults import AbortFault, DelayFault
from chaos.mesh.compile.rules import Rules
from chaos.runner.istio.api import VIRTUAL_SERVICES, Cluster, connect
from chaos.runner.istio.patched import TRIES, Patched, change
from chaos.runner.istio.recover import left_behind, remove_all
from chaos.runner.istio.watching import changed_by_others
from chaos.runner.plan.checked import prepare
from chaos.runner.plan.gateway_rules import compiled
from chaos.units import Percent

MARKS = Marks("0123456789abcdef0123456789abcdef", "shop")


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with ApiServer() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        server.apply(rules())
        yield server


async def names(cluster: Cluster) -> list[str]:
    (live,) = await cluster.items(VIRTUAL_SERVICES)
    return [route.get("name", "") for route in live["spec"]["http"]]


def with_a_run(
    folder: Path, then: Callable[[Cluster, Patched, Rules], Any], share: float = 50
) -> tuple[list[str], Any]:
    """Put a run's routes there, and do something. Returns the names that the routes had in between."""

    async def work() -> tuple[list[str], Any]:
        prepared = prepare([case(folder, rules(abort(share)))]).require_sound()
        written = [each for each in prepared.reading.resources.virtual_services if each.spec.http]
        own = compiled(prepared, NO_PLAN)
        async with await connect("test", "shop") as cluster:
            patched = Patched(cluster, MARKS, written)
            await patched.begin()
            await patched.put(own, Generation(1, "", {info.key: info.faults for info in own.rules}))
            return await names(cluster), await then(cluster, patched, own)

    return asyncio.run(work())


def test_what_was_there_is_there_again_byte_for_byte(tmp_path: Path, api: ApiServer) -> None:
    async def ended(cluster: Cluster, patched: Patched, own: Rules) -> Any:
        await patched.put(own, Generation(2, "", {}))
        await patched.end()
        return (await cluster.items(VIRTUAL_SERVICES))[0]["spec"], await cluster.items(VIRTUAL_SERVICES)

    before = rules()["spec"]
    between, (after, _) = with_a_run(tmp_path, ended)
    assert between[:2] == [MARKS.name("probe"), MARKS.name("0")]
    assert after == before


def test_a_change_of_somebody_elses_is_not_written_over(tmp_path: Path, api: ApiServer) -> None:
    """Who writes between our reading and our patch makes it fail; it is made anew from what is there then."""

    async def raced(cluster: Cluster, patched: Patched, own: Rules) -> Any:
        looked = 0

        def wanted(live: dict[str, Any]) -> list[dict[str, Any]]:
            nonlocal looked
            looked += 1
            version = live["metadata"]["resourceVersion"] if looked == 3 else "0"
            return [
                {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                {"op": "add", "path": "/metadata/labels", "value": {"tried": str(looked)}},
            ]

        (live,) = await cluster.items(VIRTUAL_SERVICES)
        await change(cluster, live["metadata"]["name"], wanted)
        (live,) = await cluster.items(VIRTUAL_SERVICES)
        return live["metadata"]["labels"]["tried"]

    assert with_a_run(tmp_path, raced)[1] == "3"


def test_after_some_tries_it_gives_up(tmp_path: Path, api: ApiServer) -> None:
    async def never(cluster: Cluster, patched: Patched, own: Rules) -> Any:
        (live,) = await cluster.items(VIRTUAL_SERVICES)
        stale = [{"op": "test", "path": "/metadata/resourceVersion", "value": "0"}]
        with pytest.raises(EnvironmentFailed, match=f"could not be changed in {TRIES} tries"):
            await change(cluster, live["metadata"]["name"], lambda now: stale)

    with_a_run(tmp_path, never)


def test_routes_that_somebody_takes_out_end_the_run(tmp_path: Path, api: ApiServer) -> None:
    """As `kubectl apply` of the file does, without a word."""

    async def applied(cluster: Cluster, patched: Patched, own: Rules) -> Any:
        prepared = prepare([case(tmp_path, rules(abort(50)))])
        watching = asyncio.ensure_future(
            changed_by_others(cluster, patched, prepared.reading.resources.virtual_services)
        )
        await asyncio.to_thread(lambda: wait_for(lambda: bool(api.watches()), 10, "the watch"))
        await asyncio.to_thread(api.apply, rules())
        with pytest.raises(EnvironmentFailed, match="the run's routes were taken out of VirtualService web"):
            await asyncio.wait_for(watching, 10)

    with_a_run(tmp_path, applied)


def test_what_any_run_left_is_taken_away(tmp_path: Path, api: ApiServer) -> None:
    async def recovered(cluster: Cluster, patched: Patched, own: Rules) -> Any:
        found = await left_behind(cluster)
        await remove_all(cluster, found)
        return list(map(str, found)), await left_behind(cluster), await names(cluster)

    _, (first, second, left) = with_a_run(tmp_path, recovered)
    routes = f"{MARKS.name('probe')}, {MARKS.name('0')}"
    assert first[0] == f"virtualservices/web with the routes {routes}"
    assert first[1].startswith(f"jobs/{MARKS.name('lease')} of run {MARKS.short}") and second == []
    assert not any(name.startswith("chaos-") for name in left)


def test_a_run_begins_with_what_killed_ones_left(tmp_path: Path, api: ApiServer) -> None:
    """Whose lease is still there goes on, and its routes stay; the others' do nothing, and are taken out."""
    left, living = Marks("a" * 32, "shop"), Marks("b" * 32, "shop")
    api.apply(lease(living))
    for marks in (left, living):
        (live,) = api.all("VirtualService")
        routes = [{"name": marks.name("probe")}, {"name": marks.name("0")}, *live["spec"]["http"]]
        api.apply({**rules(), "spec": {**live["spec"], "http": routes}})

    async def looked(cluster: Cluster, patched: Patched, own: Rules) -> Any:
        await patched.end()
        return await names(cluster)

    _, after = with_a_run(tmp_path, looked)
    assert after == [living.name("probe"), living.name("0"), "all"]


@pytest.mark.parametrize("per_million", [1, 3, 29, 2999, 33_333, 500_000, 999_999, 1_000_000])
def test_istio_gets_the_percentage_to_a_millionth(per_million: int) -> None:
    """It multiplies by 10 000 and cuts off what is behind the point (translatePercentToFractionalPercent)."""
    made = fault([DelayFault(Percent(per_million), 2.0), AbortFault(Percent(per_million), 503)])
    assert {int(part["percentage"]["value"] * 10_000) for part in made.values()} == {per_million}
    assert (made["delay"]["fixedDelay"], made["abort"]["httpStatus"]) == ("2s", 503)


def test_every_route_is_copied_so_that_responses_say_which_rule_they_took(tmp_path: Path) -> None:
    own = compiled(prepare([case(tmp_path, rules(abort(50)))]).require_sound(), NO_PLAN)
    names_of = {info.virtual_service for info in own.rules if info.virtual_service}
    (name,) = names_of
    assert [each.fault for each in copies(own, {}, str(name))] == [{} for each in own.rules if not each.is_default]
