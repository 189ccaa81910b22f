"""What a run has in the cluster, where the API server does not answer at once, or its answer is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support.fake_kubernetes.server import ApiServer
from support.in_mesh import HOST, NO_PLAN, abort, case, rules
from support.processes import wait_for

from chaos.engines.istio.lease import lease
from chaos.engines.istio.marks import Marks
from chaos.engines.istio.overlay import Generation
from chaos.errors import EnvironmentFailed
from chaos.mesh.compile.rules import Rules
from chaos.runner.istio.api import connect
from chaos.runner.istio.installation import Installation
from chaos.runner.istio.patched import Patched
from chaos.runner.istio.recover import left_behind, remove_all
from chaos.runner.istio.watching import changed_by_others
from chaos.runner.plan.checked import prepare
from chaos.runner.plan.gateway_rules import compiled

MARKS = Marks("0123456789abcdef0123456789abcdef", "shop")


def made_of(folder: Path) -> Rules:
    return compiled(prepare([case(folder, rules(abort(50)))]).require_sound(), NO_PLAN)


def test_it_begins_once_the_server_answers_and_takes_what_a_lost_answer_has_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        async with await connect("test") as cluster:
            installation = Installation(cluster, MARKS, (), everybody=False)
            with api.down():
                beginning = asyncio.ensure_future(installation.begin())
                await asyncio.sleep(0.2)
                assert not beginning.done()
                api.apply(lease(MARKS))
            await beginning
            await installation.put(made_of(tmp_path), Generation(1, "", {}))
            again = Installation(cluster, MARKS, (), everybody=False)
            await again.begin()
            await again.put(made_of(tmp_path), Generation(2, "", {}))
            (made,), (job,) = api.all("EnvoyFilter"), api.all("Job")
            assert made["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
            await installation.end()
            with pytest.raises(EnvironmentFailed, match="not found"):
                await installation.put(made_of(tmp_path), Generation(3, "", {}))

    with ApiServer() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        asyncio.run(check())
        assert api.all("EnvoyFilter") == api.all("Job") == []


@pytest.mark.parametrize("kind", [partial(Installation, everybody=False), Patched])
def test_a_host_without_rules_has_the_runs_own_while_the_lease_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[..., Installation | Patched]
) -> None:
    """Of others' objects nothing is there, or would have to be."""

    async def check() -> None:
        prepared = prepare([case(tmp_path, rules(abort(50)))]).require_sound()
        written, own = prepared.reading.resources.virtual_services, compiled(prepared, NO_PLAN)
        async with await connect("test") as cluster:
            installed = kind(cluster, MARKS, written)
            await installed.begin()
            faults = {info.key: info.faults for info in own.rules}
            assert await installed.put(own, Generation(1, "", faults)) == [f"{HOST}:80"]
            (made,), (job,) = api.all("VirtualService"), api.all("Job")
            assert made["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
            assert made["spec"]["http"][1]["fault"]["abort"]["percentage"] == {"value": 50.0}
            await installed.put(own, Generation(2, "", {}))
            (made,) = api.all("VirtualService")
            assert "fault" not in made["spec"]["http"][1] and api.all("EnvoyFilter") == []
            watching = asyncio.ensure_future(changed_by_others(cluster, installed, written))
            await asyncio.to_thread(lambda: wait_for(lambda: bool(api.watches()), 10, "the watch"))
            found = await left_behind(cluster)
            assert [each.name for each in found] == [made["metadata"]["name"], job["metadata"]["name"]]
            await remove_all(cluster, found[:1])
            with pytest.raises(EnvironmentFailed, match="the run's VirtualService chaos-0123456789ab-rules-0 "):
                await asyncio.wait_for(watching, 10)
            await installed.end()

    with ApiServer() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        asyncio.run(check())
        assert api.all("VirtualService") == api.all("Job") == []


def test_routes_of_a_run_wait_for_the_server_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        prepared = prepare([case(tmp_path, rules(abort(50)))]).require_sound()
        async with await connect("test") as cluster:
            patched = Patched(cluster, MARKS, prepared.reading.resources.virtual_services)
            await patched.begin()
            own = compiled(prepared, NO_PLAN)
            with api.down():
                putting = asyncio.ensure_future(patched.put(own, Generation(1, "", {})))
                await asyncio.sleep(0.2)
                assert not putting.done()
            await putting
            assert [route["name"] for route in api.all("VirtualService")[0]["spec"]["http"]][-1] == "all"
            assert len(api.all("VirtualService")[0]["spec"]["http"]) == 3
            await patched.end()
            assert api.all("VirtualService")[0]["spec"] == rules()["spec"]

    with ApiServer() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        api.apply(rules())
        asyncio.run(check())


def test_without_anybody_left_the_lease_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a host is lost: no engine, no guard."""

    async def begin() -> None:
        async with await connect("test") as cluster:
            installation = Installation(cluster, MARKS, (), everybody=False)
            await installation.begin()
            await installation.put(made_of(tmp_path), Generation(1, "", {}))

    with ApiServer() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        asyncio.run(begin())
        api.later(55)
        assert len(api.all("EnvoyFilter")) == len(api.all("Job")) == 1
        api.later(6)
        assert api.all("EnvoyFilter") == api.all("Job") == []
