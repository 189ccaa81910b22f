"""What a run takes for a change of somebody else's, with a small API server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fake_kubernetes.server import ApiServer
from support.in_mesh import HOST, NO_PLAN, abort, case, rules
from support.processes import wait_for

from chaos.engines.istio.marks import Marks
from chaos.engines.istio.overlay import Generation
from chaos.errors import EnvironmentFailed
from chaos.runner.istio.api import connect
from chaos.runner.istio.installation import Installation
from chaos.runner.istio.watching import changed_by_others
from chaos.runner.plan.checked import prepare
from chaos.runner.plan.gateway_rules import compiled

MARKS = Marks("0123456789abcdef0123456789abcdef", "shop")
Happen = Callable[[ApiServer], None]


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with ApiServer() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        server.apply(rules())
        yield server


async def watched(folder: Path, api: ApiServer, happen: Happen, seconds: float) -> str:
    """What is said when this happens to a mesh with a run in it; empty if nothing is within these seconds."""
    prepared = prepare([case(folder, rules(abort(50)))]).require_sound()
    written = [each for each in prepared.reading.resources.virtual_services if each.spec.http]
    compiled_rules = compiled(prepared, NO_PLAN)
    async with await connect("test") as cluster:
        installation = Installation(cluster, MARKS, written, everybody=False)
        await installation.begin()
        await installation.put(compiled_rules, Generation(1, "", {}))
        watching = asyncio.ensure_future(changed_by_others(cluster, installation, written))
        await asyncio.to_thread(lambda: wait_until(lambda: len(api.watches()) == 2))
        happening = asyncio.ensure_future(asyncio.to_thread(happen, api))
        try:
            await asyncio.wait_for(watching, seconds)
        except TimeoutError:
            return ""
        except EnvironmentFailed as error:
            return str(error)
        finally:
            await happening
            await installation.end()
    raise AssertionError("it is watched no longer")


def wait_until(condition: Callable[[], bool]) -> None:
    wait_for(condition, 10, "the watches")


def with_label(**more: Any) -> dict[str, Any]:
    live = rules(**more)
    live["metadata"]["labels"] = {"a": "b"}
    return live


def in_an_outage(api: ApiServer, *documents: dict[str, Any]) -> None:
    with api.down():
        api.apply(*documents, manager="kubectl-edit")


CHANGED = "VirtualService web was changed during the run by"


@pytest.mark.parametrize(
    ("happen", "said"),
    [
        (
            lambda api: api.apply(rules(timeout="1s"), manager="argocd-controller"),
            f"{CHANGED} argocd-controller: http[0].timeout: nothing in the file, 1s in the mesh",
        ),
        (lambda api: api.apply(rules(abort(1))), f"{CHANGED} kubectl: http[].fault"),
        (
            lambda api: api.apply(rules(name="more"), manager="helm"),
            "VirtualService more was added for a host of the run by helm",
        ),
        (lambda api: api.delete("VirtualService", "web"), "VirtualService web was deleted during the run"),
        (
            lambda api: api.delete("EnvoyFilter", MARKS.name("overlay")),
            f"the run's EnvoyFilter {MARKS.name('overlay')} was deleted by somebody else",
        ),
        (lambda api: api.later(61), f"the run's EnvoyFilter {MARKS.name('overlay')} was deleted by somebody else"),
        (lambda api: in_an_outage(api, rules(timeout="1s")), f"{CHANGED} kubectl-edit: http[0].timeout"),
        (
            lambda api: in_an_outage(api, rules(name="more")),
            "VirtualService more was added for a host of the run by kubectl-edit",
        ),
    ],
)
def test_what_somebody_else_does_is_told_with_who_did_it(
    tmp_path: Path, api: ApiServer, happen: Happen, said: str
) -> None:
    assert asyncio.run(watched(tmp_path, api, happen, 15)).startswith(said)


def nothing_of_it_matters(api: ApiServer) -> None:
    """A label; another host; another run; the end of the watches; a server that is restarted."""
    api.apply(with_label(), rules(name="other", host="other.shop.svc.cluster.local"))
    api.end_watches()
    api.apply(rules())
    with api.down():
        api.apply(with_label())


def test_nothing_else_is(tmp_path: Path, api: ApiServer) -> None:
    assert HOST in str(api.all("VirtualService"))
    assert asyncio.run(watched(tmp_path, api, nothing_of_it_matters, 1.5)) == ""
