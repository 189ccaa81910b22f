"""Convert the load process's messages: its plan, and its digests and samples as records of the journal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypedDict, Unpack

from chaos.experiment.feeder import Feeder
from chaos.experiment.model import Load
from chaos.experiment.tasks import LoadTask
from chaos.journal.records import DigestLine, Exemplars, LoadWorkers, Sample
from chaos.protocol.load_messages import DigestMessage, ExemplarsMessage, SampleMessage, WorkersMessage
from chaos.protocol.load_plan import Plan, Task


class SecureDoor(TypedDict, total=False):
    """The fields of a load's plan for requests over TLS, and for programs that send some."""

    secure: str | None
    ca: str | None
    variables: Mapping[str, str]


def load_plan(
    load: Load,
    tasks: tuple[LoadTask, ...],
    *,
    gateway: str,
    seed: int,
    feeder: Feeder | None = None,
    compared: Collection[str] = (),
    **doors: Unpack[SecureDoor],
) -> Plan:
    """Return the load process's plan. Without duration and number of requests, which the phases limit. `compared` are
    the tasks whose responses a policy changes."""
    return Plan(
        gateway=gateway,
        **doors,
        tasks=tuple(_task(task, task.name in compared) for task in tasks),
        seed=seed,
        users=load.users,
        spawn_rate=load.spawn_rate,
        arrival_rate=load.arrival_rate,
        stages=[(stage.duration, stage.users, stage.spawn_rate) for stage in load.stages] or None,
        warmup=load.warmup or 0.0,
        arrivals=load.arrivals,
        keep_alive=load.keep_alive,
        client=load.client,
        processes=load.processes,
        locustfile=load.locustfile,
        feeder=feeder,
    )


def _task(task: LoadTask, compared: bool) -> Task:
    return Task(
        task.name,
        task.method,
        task.url,
        task.headers,
        task.body,
        task.weight,
        task.direct,
        task.timeout,
        task.expect,
        task.fed,
        task.call,
        compared,
    )


def digest_line(message: DigestMessage) -> DigestLine:
    """Return the journal's record of a digest message."""
    return DigestLine(
        second=message["second"],
        seconds=message["seconds"],
        lag=message["lag"],
        users=message["users"],
        cpu=message["cpu"],
        entries=tuple(message["entries"]),
        pairs=tuple(message["pairs"]),
        parts=message["parts"],
        pending=tuple(message["pending"]),
        errors=message["errors"],
        late=message["late"],
    )


def sample_line(message: SampleMessage) -> Sample:
    """Return the journal's record of a sample message."""
    return Sample(second=message["second"], share=message["share"], requests=tuple(message["requests"]))


def workers_record(message: WorkersMessage) -> LoadWorkers:
    """Return the journal's record of a message about the load's workers."""
    return LoadWorkers(workers=tuple(message["workers"]))


def exemplars_record(message: ExemplarsMessage) -> Exemplars:
    """Return the journal's record of a message with single requests."""
    return Exemplars(requests=tuple(message["requests"]))
