"""Runs in a real Istio control plane (`make cluster`): what a small API server and one Envoy stand for elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.envoy_binary import find_envoy
from support.experiments import experiment, run, write
from support.grpc_needed import needs_grpc
from support.in_mesh import HOST, KEY, abort, answers, case, engine_at, rules, session, specs
from support.processes import chaos, command_line, descendants, start_chaos, wait_for
from support.real_cluster import CONTEXT, TOOL, Others, RealCluster, Writers, status

from chaos.engines.istio.rights import NAME, account, binding, rights, role
from chaos.runner.plan.engines import Engine, reaching_deeper

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TOOL, reason="CHAOS_CLUSTER_TOOL names no program that starts a control plane"),
    pytest.mark.skipif(find_envoy() is None, reason="the real Envoy is not installed"),
]

COUNT, SEED = int(os.environ.get("CHAOS_KILLS", "6")), int(os.environ.get("CHAOS_KILLS_SEED", "7"))
KILLED = {
    "supervisor": ("supervisor",),
    "guard": ("guard",),
    "engine": ("engine",),
    "both": ("supervisor", "guard"),
    "all": ("supervisor", "guard", "engine"),
}
RESTARTED = ("kube-apiserver", "istiod")
REVOKED = "token"
KINDS = (*KILLED, *RESTARTED, REVOKED)
LEASE = 65.0  # seconds
ASKED, WRITTEN = list[int](), list[int]()
LOAD = {"users": 8, "until": "decided", "duration": "60s"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    with RealCluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made
        print(f"\n{sum(ASKED)} requests of others while runs were at work, {sum(WRITTEN)} writes of others")


@pytest.fixture(autouse=True)
def _untouched(cluster: RealCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test does: nothing is left, no VirtualService is another, and nobody else has noticed."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    before = specs(cluster.all("VirtualService"))
    with Others(cluster.url, cluster.other) as others:
        yield
        wait_for(lambda: not cluster.left(), LEASE, "an end of what the run has put there")
    ASKED.append(others.count)
    assert specs(cluster.all("VirtualService")) == before
    assert others.count and others.wrong == []


def engine(cluster: RealCluster, **settings: Any) -> Engine:
    return engine_at(cluster.url, **{"context": CONTEXT, "namespace": "shop", **settings})


def options(cluster: RealCluster, folder: Path) -> tuple[str, ...]:
    entry = ("--engine", "istio", "--context", CONTEXT, "-n", "shop", "--gateway", cluster.url)
    return (*entry, "--no-report", "--out", str(folder / "out"))


def test_a_run_is_verified_with_the_role_that_is_printed(tmp_path: Path, cluster: RealCluster) -> None:
    for each in (account("shop"), role("shop", rights()), binding("shop")):
        cluster.apply(each)
    phases = [
        {"name": "before", "faults": False, "duration": "2s"},
        {"name": "fault"},
        {"name": "after", "faults": False, "duration": "2s"},
    ]
    file = case(tmp_path, rules(abort(50)), load=LOAD, phases=phases, verify={"tolerance": 5})
    result = run(file, tmp_path, engine=engine(cluster, context=cluster.context(NAME)))
    assert result.outcome == "verified", result.reasons


def test_other_rules_than_the_files_are_told_of_before_anything_is_there(tmp_path: Path, cluster: RealCluster) -> None:
    file = case(tmp_path, rules(abort(50), timeout="1s"))
    done = chaos("run", file, *options(cluster, tmp_path))
    assert done.returncode == 2 and "http[0].timeout: 1s in the file, nothing in the mesh" in done.stdout + done.stderr


def test_a_change_of_somebody_elses_ends_it_with_who_did_it(tmp_path: Path, cluster: RealCluster) -> None:
    async def check() -> str:
        async with session(tmp_path, engine(cluster), rules(abort(100))) as found:
            assert found.gateway is not None
            await asyncio.to_thread(cluster.apply, rules(timeout="1s"), manager="argocd-controller")
            child = found.gateway.child
            assert await asyncio.wait_for(child.process.wait(), 15) == 5
            return child.last_words()

    try:
        words = asyncio.run(check())
        assert "VirtualService web was changed during the run by argocd-controller" in words
    finally:
        cluster.kubectl("replace", "-f", "-", given=rules())


def test_faults_meet_the_runs_requests_alone(tmp_path: Path, cluster: RealCluster) -> None:
    async def check() -> None:
        made = engine(cluster)
        async with session(tmp_path, made, rules(abort(100))) as found:
            assert found.gateway is not None
            await found.gateway.admin.set_phase({"name": "fault", "faults": True})
            assert {code for code, _ in await answers(cluster.url, made.headers)} == {503}
            assert {code for code, _ in await answers(cluster.url, {"x-chaos-run": "0" * 32})} == {200}
            await found.gateway.admin.set_phase({"name": "after", "faults": False})
            assert {code for code, _ in await answers(cluster.url, made.headers)} == {200}

    asyncio.run(check())


@pytest.mark.parametrize("patch", [False, True])
def test_a_host_without_rules_has_the_files_for_the_runs_requests_alone(
    tmp_path: Path, cluster: RealCluster, patch: bool
) -> None:
    async def check() -> None:
        made = engine(cluster, patch=patch)
        async with session(tmp_path, made, rules(abort(100))) as found:
            assert found.gateway is not None and len(cluster.all("VirtualService")) == 1
            await found.gateway.admin.set_phase({"name": "fault", "faults": True})
            assert {code for code, _ in await answers(cluster.url, made.headers)} == {503}
            assert {code for code, _ in await answers(cluster.url, {})} == {200}
            await found.gateway.admin.set_phase({"name": "after", "faults": False})
            assert {code for code, _ in await answers(cluster.url, made.headers)} == {200}
        assert cluster.all("VirtualService") == []

    cluster.kubectl("delete", "virtualservice", "web")
    try:
        asyncio.run(check())
    finally:
        cluster.apply(rules())


@pytest.mark.parametrize("patch", [False, True])
def test_rules_of_a_wildcard_are_met_under_every_name(tmp_path: Path, cluster: RealCluster, patch: bool) -> None:
    """One name is a service of the mesh, with a virtual host of its own; the other is none, and has the wildcard's."""

    async def check() -> None:
        made = engine(cluster, patch=patch)
        async with session(tmp_path, made, rules(abort(100), name="wild", host="*.shop.example")) as found:
            assert found.gateway is not None
            await found.gateway.admin.set_phase({"name": "fault", "faults": True})
            for host in ("a.shop.example", "any.shop.example"):
                assert {code for code, _ in await answers(cluster.url, {**made.headers, "host": host})} == {503}
                assert {code for code, _ in await answers(cluster.url, {"host": host})} == {200}

    cluster.apply(cluster.service("a.shop.example"), cluster.service("*.shop.example"))
    cluster.apply(rules(name="wild", host="*.shop.example"))
    try:
        wait_for(lambda: {status(cluster.url, {"host": "a.shop.example"}) for _ in range(9)} == {200}, 9, "the rules")
        asyncio.run(check())
    finally:
        cluster.kubectl("delete", "virtualservice", "wild")
        cluster.kubectl("delete", "serviceentry", "a.shop.example", "wild.shop.example")


@pytest.mark.parametrize("patch", [False, True])
def test_calls_of_applications_meet_the_faults_of_rules_that_no_task_takes(
    tmp_path: Path, cluster: RealCluster, patch: bool
) -> None:
    """They pass on the baggage of the run's requests, and no other header of theirs."""

    async def check() -> None:
        made = reaching_deeper(engine(cluster, patch=patch), [KEY])
        run = made.headers["x-chaos-run"]
        async with session(tmp_path, made, rules(abort(100))) as found:
            assert found.gateway is not None
            await found.gateway.admin.set_phase({"name": "fault", "faults": True})
            member = {"baggage": f"user=1,chaos.run={run};ttl=3, more=2"}
            assert {code for code, _ in await answers(cluster.url, member)} == {503}
            for others in ({}, {"baggage": f"chaos.run={run}0"}, {"x-chaos-run": run}):
                assert {code for code, _ in await answers(cluster.url, others)} == {200}

    asyncio.run(check())


@needs_grpc
def test_calls_of_grpc_meet_them(tmp_path: Path, cluster: RealCluster) -> None:
    from support.grpc_server import PROTO, GrpcServer

    host = "echo.shop.svc.cluster.local"
    fault = {"abort": {"percentage": {"value": 50}, "grpcStatus": "UNAVAILABLE"}}
    call = {"kind": "grpc", "url": f"http://{host}", "service": "shop.Echo", "method": "Say", "json": {"text": "hi"}}

    def to_echo(fault: dict[str, Any] | None = None) -> dict[str, Any]:
        return rules(fault, name="echo", host=host, route=[{"destination": {"host": host}}])

    with GrpcServer() as server:
        services = {f"{host}:80": {"protocol": "GRPC", "endpoints": [{"address": f"127.0.0.1:{server.port}"}]}}
        load = {**LOAD, "tasks": [{**call, "proto": str(PROTO)}]}
        spec = experiment(services=services, load=load, proxy={"namespace": "shop"}, verify={"tolerance": 5})
        file = write(tmp_path, spec, to_echo(fault))
        cluster.apply(cluster.service(host, "GRPC", server.port), to_echo())
        try:
            result = run(file, tmp_path, engine=engine(cluster))
        finally:
            cluster.kubectl("delete", "virtualservice", "echo")
            cluster.kubectl("delete", "serviceentry", host)
    (finding,) = (each for each in result.findings if each.kind == "abort")
    assert (result.outcome, finding.title) == ("verified", "abort gRPC UNAVAILABLE"), result.reasons


def kills() -> list[tuple[str, float, bool]]:
    """What is killed, after how many seconds, and whether the run patches VirtualServices."""
    draw = random.Random(SEED)
    chosen = [(KINDS[number // 2 % len(KINDS)], bool(number % 2)) for number in range(COUNT)]
    draw.shuffle(chosen)
    return [(kind, draw.uniform(0.0, 10.0), patch) for kind, patch in chosen]


@pytest.mark.parametrize(("kind", "delay", "patch"), kills())
def test_whoever_is_killed_the_mesh_is_as_before_a_minute_later(
    tmp_path: Path, cluster: RealCluster, kind: str, delay: float, patch: bool
) -> None:
    """Two others write meanwhile. Copies of routes are left where nobody with a right is there to take them out: they
    do nothing to anybody."""
    for each in (account("shop"), role("shop", rights(patch=True)), binding("shop")):
        cluster.apply(each)
    given = [*options(cluster, tmp_path), *(["--patch"] if patch else [])]
    given[given.index(CONTEXT)] = cluster.context(NAME)
    load = {"users": 2, "duration": "12s" if kind in RESTARTED else "120s"}
    file = case(tmp_path, rules(abort(50)), load=load, verify={"tolerance": 20})
    with Writers(cluster) as writers:
        process = start_chaos("run", file, *given)
        try:
            found = wait_for(lambda: _processes(process), 60, "the engine and its guard")
            headers = {"x-chaos-run": found.pop("run")}
            time.sleep(delay)
            _kill(cluster, kind, found)
            if kind == "guard":
                process.send_signal(signal.SIGTERM)
            printed, _ = process.communicate(timeout=120)
            wait_for(lambda: not cluster.left(), LEASE, "an end of what the run has put there")
        finally:
            process.kill()
            process.wait()
    WRITTEN.append(writers.count)
    if patch:
        assert chaos("recover", "--context", CONTEXT, "-n", "shop").returncode == 0
    wait_for(lambda: {status(cluster.url, headers) for _ in range(40)} == {200}, LEASE, f"the answers of {HOST}")
    if kind in RESTARTED:
        assert process.returncode in (0, 3), printed
    if kind == REVOKED:
        assert process.returncode == 5 and "does not accept its credentials (401)" in printed, printed


def _kill(cluster: RealCluster, kind: str, pids: dict[str, str]) -> None:
    if kind in RESTARTED:
        with cluster.down(kind):
            time.sleep(3.0)
    elif kind == REVOKED:
        cluster.kubectl("delete", "serviceaccount", NAME)
    for each in KILLED.get(kind, ()):
        os.kill(int(pids[each]), signal.SIGKILL)


def _processes(process: subprocess.Popen[str]) -> dict[str, str]:
    """The pids of a run's processes, and its id; empty while one of them is not there."""
    below = descendants(process.pid)
    guards = [pid for pid, line in below.items() if "chaos.runner.istio.guard" in line]
    engines = [pid for pid, line in below.items() if "chaos.runner.istio {" in line]
    if not guards or not engines:
        assert process.poll() is None, process.communicate()[0]
        return {}
    settings = json.loads(command_line(engines[0]).split("chaos.runner.istio ", 1)[1])
    return {"guard": str(guards[0]), "engine": str(engines[0]), "supervisor": str(process.pid), "run": settings["run"]}
