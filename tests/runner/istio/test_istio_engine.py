"""The engine `istio` as a process, with a small API server and a real Envoy that follows it: what it changes and takes
back, and whose requests meet it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.envoy_binary import find_envoy
from support.fake_kubernetes.server import ApiServer, User
from support.fake_mesh import FakeMesh
from support.in_mesh import KEY, abort, answers, engine_at, rules, session, specs

from chaos.engines.istio.rights import rights, role
from chaos.errors import EnvironmentFailed
from chaos.load.tags import of_headers
from chaos.mesh.source.writing import to_yaml_stream
from chaos.runner.plan.engines import Engine
from chaos.runner.processes.session import Session

pytestmark = [
    pytest.mark.slow,
    pytest.mark.envoy,
    pytest.mark.skipif(find_envoy() is None, reason="the real Envoy is not installed"),
]

SOON = 15.0  # seconds


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with ApiServer() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        server.apply(rules())
        server.users = {"admin-token": User("system:serviceaccount:shop:chaos-run", (role("shop", rights()),))}
        yield server
        assert server.forbidden == [], "the Role of `chaos export rbac` is enough"


@pytest.fixture
def mesh(api: ApiServer) -> Iterator[FakeMesh]:
    with FakeMesh(api) as found:
        yield found


def left(api: ApiServer) -> list[str]:
    """What of a run is there."""
    return [each["metadata"]["name"] for kind in ("EnvoyFilter", "Job") for each in api.all(kind)]


def process_of(session: Session) -> int:
    assert session.gateway is not None
    return session.gateway.child.process.pid


def own(engine: Engine) -> dict[str, str]:
    return dict(engine.headers)


@pytest.mark.representative
def test_faults_meet_the_runs_requests_alone_and_change_with_its_phases(
    tmp_path: Path, api: ApiServer, mesh: FakeMesh
) -> None:
    engine, before = engine_at(mesh.url), specs(api.all("VirtualService"))

    async def told() -> Counter[tuple[int, str, str, str]]:
        """What own requests are told, while nobody else's is told anything."""
        seen: Counter[tuple[int, str, str, str]] = Counter()
        for status, headers in await answers(mesh.url, own(engine)):
            tags = of_headers(headers.items())
            seen[status, tags.route, tags.phase, tags.fault] += 1
        assert {status for status, _ in await answers(mesh.url, {})} == {200}
        assert {status for status, _ in await answers(mesh.url, {"x-chaos-run": "0" * 32})} == {200}
        return seen

    async def check() -> None:
        async with session(tmp_path, engine, rules(abort(100))) as found:
            assert found.gateway is not None and found.url == mesh.url
            admin = found.gateway.admin
            await admin.set_phase({"name": "before", "faults": False})
            assert await told() == {(200, "all", "before", ""): 20}
            with api.down():  # a change waits for an API server that is restarted
                entering = asyncio.ensure_future(admin.set_phase({"name": "fault", "faults": True}))
                await asyncio.sleep(0.3)
                assert not entering.done()
            await entering
            assert await told() == {(503, "all", "fault", "abort"): 20}
            api.end_watches()
            await asyncio.to_thread(admin.call, "PUT", f"/faults/{KEY}", {"abort": 0})
            assert {status for status, *_ in await told()} == {200}
            await admin.put_rules(to_yaml_stream([rules(abort(100, 418))]))
            await asyncio.to_thread(admin.call, "DELETE", f"/faults/{KEY}")
            assert {status for status, *_ in await told()} == {418}
            assert len(left(api)) == 2
            lease = api.all("Job")[0]["metadata"]
            assert api.all("EnvoyFilter")[0]["metadata"]["ownerReferences"][0]["uid"] == lease["uid"]
        assert left(api) == [] and {status for status, _ in await answers(mesh.url, own(engine))} == {200}

    asyncio.run(check())
    assert specs(api.all("VirtualService")) == before


def test_a_change_of_somebody_elses_ends_it_with_who_did_it(tmp_path: Path, api: ApiServer, mesh: FakeMesh) -> None:
    async def check() -> tuple[int, str]:
        async with session(tmp_path, engine_at(mesh.url), rules(abort(100))) as found:
            assert found.gateway is not None
            await asyncio.to_thread(api.apply, rules(timeout="1s"), manager="argocd-controller")
            child = found.gateway.child
            return await asyncio.wait_for(child.process.wait(), SOON), child.last_words()

    code, words = asyncio.run(check())
    assert code == 5 and "VirtualService web was changed during the run by argocd-controller" in words, words
    assert left(api) == []


def test_a_mesh_that_never_takes_it_up_ends_it_after_it_is_undone(tmp_path: Path, api: ApiServer) -> None:
    async def check() -> None:
        async with session(tmp_path, engine_at(mesh.url, longest=0.5), rules(abort(100))):
            raise AssertionError("it is in force")

    with FakeMesh(api, follows=False) as mesh, pytest.raises(EnvironmentFailed) as raised:
        asyncio.run(check())
    words = "generation 1 is not in force at web.shop.svc.cluster.local:80 after 0.5 s: status 200, 'hello\\n'"
    assert "ended with exit code 5" in str(raised.value) and words in str(raised.value)
    assert left(api) == []
