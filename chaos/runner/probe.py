"""Measure how fast an experiment's load is, in a second of it without faults, so that a forecast need not guess."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from chaos.errors import EnvironmentFailed
from chaos.protocol.digest import Digest
from chaos.protocol.load_plan import Plan
from chaos.runner.plan.run_plan import RunPlan
from chaos.runner.processes.endpoints import try_endpoints
from chaos.runner.processes.load import LoadProcess
from chaos.runner.processes.load_messages import digest_line, load_plan
from chaos.runner.processes.session import start

SECONDS = 1.0
WARM_UP = 0.5  # seconds before that, in which connections are opened


def starts_programs(plan: RunPlan) -> bool:
    """Return whether a probe would start a program of the user's own, or run their locustfile."""
    own = any(service.command for service in (plan.prepared.reading.experiment.spec.services or {}).values())
    return own or bool(plan.load.locustfile)


def measured_rate(plan: RunPlan) -> float:
    """Return the requests per second of the plan's users when nothing is delayed.

    Raises EnvironmentFailed when a process does not come up, nothing listens at an endpoint, or nothing is answered."""
    return asyncio.run(_measured(plan))


async def _measured(plan: RunPlan) -> float:
    load = await LoadProcess.start()
    try:
        program = plan.options.engine.program
        async with start(plan.prepared, plan.gateway_plan(), seed=plan.seed, load=load, program=program) as session:
            await try_endpoints(plan.prepared.registry(session.services.addresses))
            assert session.gateway is not None
            await session.gateway.admin.set_faults(False)
            tasks = await asyncio.to_thread(plan.described_tasks, session.services.addresses)
            wanted = replace(
                load_plan(
                    plan.load,
                    tasks,
                    gateway=session.url,
                    seed=plan.seed,
                    feeder=plan.feeder,
                    **session.secure_door,
                ),
                duration=WARM_UP + SECONDS,
                interval=WARM_UP,
                spawn_rate=1000.0 * plan.load.users,
                arrival_rate=None,
                stages=None,
                processes=1 if plan.joining is not None else plan.load.processes,  # the other hosts are not here
            )
            return await _rate(load, wanted)
    finally:
        await load.child.stop(0.3)


async def _rate(load: LoadProcess, plan: Plan) -> float:
    await load.begin(plan)
    answered, seconds = 0, 0.0
    async for message in load.messages():
        if message["type"] == "done":
            break
        if message["type"] == "digest" and message["second"] >= WARM_UP / 2:
            line = digest_line(message)
            digest = Digest.of(line.entries)
            answered, seconds = answered + digest.count - digest.errors, seconds + line.seconds
    if not answered:
        raise EnvironmentFailed("no request of the probe had a response")
    return answered / seconds
