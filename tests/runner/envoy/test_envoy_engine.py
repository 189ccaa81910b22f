"""A real Envoy as a run's gateway: what it counts, tags, and changes, by the same admin API as ours."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support import biased_envoy
from support.envoy_binary import find_envoy
from support.experiments import experiment, journal, run, virtual_service, write
from support.processes import chaos, descendants, start_chaos, wait_for

from chaos.errors import ExitCode, InvalidInput
from chaos.journal.records import Plan
from chaos.load.tags import of_headers
from chaos.mesh.source.writing import to_yaml_stream
from chaos.protocol.digest import BY_HAND
from chaos.runner.plan.checked import prepare
from chaos.runner.plan.engines import EngineName, engine_of
from chaos.runner.plan.gateway_rules import gateway_plan
from chaos.runner.processes.session import Session, start
from chaos.verify.verdict import Verdict

pytestmark = [
    pytest.mark.slow,
    pytest.mark.envoy,
    pytest.mark.skipif(find_envoy() is None, reason="the real Envoy is not installed"),
]

KEY = "virtualservice/default/web/0"
LATE = {"delay": {"fixedDelay": "50ms", "percentage": {"value": 50}}}
LOAD = {"users": 16, "until": "decided", "duration": "40s"}


@asynccontextmanager
async def envoy(folder: Path, *documents: dict[str, Any], **spec: Any) -> AsyncIterator[Session]:
    prepared = prepare([write(folder, experiment(**spec), *documents)]).require_sound()
    program = engine_of(EngineName.ENVOY).program
    async with start(prepared, gateway_plan(prepared, seed=1), seed=1, program=program) as session:
        yield session


async def told(session: Session, count: int, host: str = "web", path: str = "/") -> Counter[tuple[Any, ...]]:
    """What the tags on so many responses say: rule, phase, fault, status, destination."""
    seen: Counter[tuple[Any, ...]] = Counter()
    async with aiohttp.ClientSession() as client:

        async def ask() -> None:
            async with client.get(session.url + path, headers={"host": host}) as response:
                tags = of_headers(response.headers.items())
                seen[tags.route, tags.phase, tags.fault, response.status, tags.destination] += 1

        await asyncio.gather(*(ask() for _ in range(count)))
    return seen


def by_fault(seen: Counter[tuple[Any, ...]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (_, _, fault, _, _), count in seen.items():
        found[fault] += count
    return {fault: count for fault, count in found.items() if fault}


@pytest.mark.representative
def test_its_counts_are_those_of_the_tags_in_every_phase(tmp_path: Path) -> None:
    async def check() -> None:
        rules = virtual_service(abort=30)
        rules["spec"]["http"][0]["fault"] |= LATE
        async with envoy(tmp_path, rules) as session:
            assert session.gateway is not None
            admin = session.gateway.admin
            for name, faults in (("before", False), ("fault", True)):
                await admin.set_phase({"name": name, "faults": faults})
                seen = await told(session, 300)
                counts = (await admin.counters())["phases"][name][KEY]
                assert {(rule, phase) for rule, phase, *_ in seen} == {("web[0]", name)}
                assert counts["faults"] == by_fault(seen) and counts["requests"] == 300
                assert bool(counts["faults"]) is faults
                forwarded = Counter(where for *_, where in seen.elements() if where)
                assert counts["destinations"] == forwarded == {"web.default.svc.cluster.local:80": counts["forwarded"]}
            met = (await admin.faulted(0))["faulted"]
            assert len(met) == sum(counts["faults"].values()) and {each["authority"] for each in met} == {"web"}

    asyncio.run(check())


def test_levels_switch_and_rules_change_without_a_restart(tmp_path: Path) -> None:
    async def check() -> None:
        async with envoy(tmp_path, virtual_service(abort=100)) as session:
            assert session.gateway is not None
            admin = session.gateway.admin
            await admin.set_phase({"name": "fault", "faults": True})
            await asyncio.to_thread(admin.call, "PUT", f"/faults/{KEY}", {"abort": 0})
            assert by_fault(await told(session, 20)) == {}
            await asyncio.to_thread(admin.call, "DELETE", f"/faults/{KEY}")
            assert by_fault(await told(session, 20)) == {"abort": 20}
            await admin.set_faults(False)
            assert by_fault(await told(session, 20)) == {}
            phases = (await admin.counters())["phases"]
            assert (phases[BY_HAND][KEY]["requests"], phases["fault"][KEY]["requests"]) == (40, 20)
            await admin.set_phase({"name": "half", "faults": True, "scale": {"abort": 0.0}})
            assert by_fault(await told(session, 20)) == {}
            other = virtual_service(abort=100, status=418)
            other["spec"]["http"][0]["name"] = "teapot"
            await admin.put_rules(to_yaml_stream([other]))
            await admin.set_phase({"name": "other", "faults": True})
            assert {(rule, status) for rule, _, _, status, _ in await told(session, 20)} == {("teapot", 418)}
            with pytest.raises(InvalidInput, match="kind: expected"):
                await admin.put_rules("nowhere: {}")
            assert by_fault(await told(session, 5)) == {"abort": 5}

    asyncio.run(check())


def test_weights_unmatched_requests_and_what_upstream_calls_itself(tmp_path: Path) -> None:
    async def check() -> None:
        rules = virtual_service()
        rules["spec"]["http"] = [
            {
                "match": [{"uri": {"prefix": "/in"}}],
                "route": [
                    {"destination": {"host": "web"}, "weight": 50},
                    {"destination": {"host": "other"}, "weight": 50},
                ],
            }
        ]
        services = {"web": {"builtin": "webserver"}, "other": {"builtin": "webserver"}}
        async with envoy(tmp_path, rules, services=services) as session:
            assert session.gateway is not None
            seen = await told(session, 200, path="/in")
            assert {rule for rule, *_ in seen} == {"web[0]"} and len({where for *_, where in seen}) == 2
            assert {status for _, _, _, status, _ in await told(session, 3, path="/out")} == {404}
            assert {status for _, _, _, status, _ in await told(session, 3, host="nobody")} == {404}
            counters = await session.gateway.admin.counters()
            assert counters["unmatched"] == 6
            drawn = counters["phases"][""][KEY]["destinations"]
            assert drawn == Counter(where for *_, where in seen.elements())

    asyncio.run(check())


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 50 % aborts through Envoy, by the command line."""
    folder = tmp_path_factory.mktemp("run")
    file = write(
        folder, experiment(load={"users": 16, "until": "decided", "duration": "40s"}), virtual_service(abort=50)
    )
    ran = chaos("run", file, "--engine", "envoy", "--out", folder / "reports", cwd=folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return next((folder / "reports" / "case").glob("2*"))


@pytest.mark.representative
def test_half_of_the_requests_aborted_by_envoy_is_verified_and_the_run_says_by_what(verified: Path) -> None:
    (plan,) = (each for each in journal(verified) if isinstance(each, Plan))
    assert plan.engine.startswith("Envoy 1.")
    refused = chaos("replay", verified)
    assert refused.returncode == ExitCode.USAGE
    assert f"the faults were drawn by {plan.engine}" in refused.stderr


def test_an_envoy_that_is_told_another_percentage_is_falsified(tmp_path: Path) -> None:
    file = write(tmp_path, experiment(load=LOAD), virtual_service(abort=50))
    engine = engine_of(EngineName.ENVOY)
    program = (engine.program[0], biased_envoy.__file__, "0.9", *engine.program[3:])
    result = run(file, tmp_path, engine=engine, program=program)
    assert result.exit_code == ExitCode.FALSIFIED
    abort = next(finding for finding in result.findings if finding.kind == "abort")
    assert (abort.verdict, abort.cause) == (Verdict.FALSIFIED, "dice")


def test_what_an_envoy_does_not_count_is_not_judged(tmp_path: Path) -> None:
    rules = virtual_service(mirror={"host": "other"})
    services = {"web": {"builtin": "webserver"}, "other": {"builtin": "webserver"}}
    file = write(tmp_path, experiment(load={"users": 8, "requests": 200}, services=services), rules)
    result = run(file, tmp_path, engine=engine_of(EngineName.ENVOY))
    found = {finding.kind: finding for finding in result.findings}
    assert found["mirror"].verdict is Verdict.NOT_JUDGED and "Envoy does not count" in found["mirror"].sentence
    assert found["route"].observed is not None


def test_an_envoy_that_dies_ends_the_run_with_what_was_seen(tmp_path: Path) -> None:
    file = write(tmp_path, experiment(load={"users": 4, "duration": "60s"}), virtual_service(abort=50))
    running = start_chaos("run", file, "--engine", "envoy", "--out", tmp_path / "reports")
    try:
        started = tmp_path / "reports"
        wait_for(lambda: any('"digest"' in path.read_text() for path in started.rglob("journal.jsonl")), 40, "requests")
        program = str(find_envoy())
        (pid,) = (pid for pid, command in descendants(running.pid).items() if command.startswith(program))
        below = descendants(running.pid)
        os.kill(pid, signal.SIGKILL)
        said, _ = running.communicate(timeout=40)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == ExitCode.ENVIRONMENT, said
    assert "Envoy was killed by SIGKILL" in said and "requests in" in said
    assert not any(Path(f"/proc/{each}").exists() for each in below)
