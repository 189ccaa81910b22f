"""The lines that the load process writes, and the commands it takes, as typed JSON (docs/protocol.md)."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from chaos.protocol.digest import EntryRecord
from chaos.protocol.exemplars import ExemplarRecord
from chaos.protocol.worker_messages import WorkerRecord

Level = Literal["info", "warning", "error"]


class Ready(TypedDict):
    """The users start; `ui` is the web UI's address."""

    type: Literal["ready"]
    pid: int
    ui: str | None


class Refused(TypedDict):
    """The plan cannot be carried out."""

    type: Literal["error"]
    reason: str


class DigestMessage(TypedDict):
    """What became of the requests that users sent in `seconds` from `second` on, which counts since the load began;
    `lag` is how many seconds ago that was, because a response takes its time. `errors` are requests without a
    response, by kind; `late` counts requests of an open model that found no idle user when they were due. `held` is
    `[phase, task, count]` of responses that have come by now and are in no digest yet."""

    type: Literal["digest"]
    second: float
    seconds: float
    lag: float
    users: int
    cpu: float
    entries: list[EntryRecord]
    pairs: list[list[Any]]
    parts: dict[str, Any]
    pending: list[list[Any]]
    errors: dict[str, int]
    late: int
    held: list[list[Any]]


class Started(TypedDict):
    """Somebody has started the users of a load whose plan `waits` for that."""

    type: Literal["started"]


class SampleMessage(TypedDict):
    """Outcomes of single requests: `[id, task, status, error, fault]` of those whose id falls below `share`."""

    type: Literal["sample"]
    second: float
    share: float
    requests: list[list[Any]]


class ExemplarsMessage(TypedDict):
    """Single requests that stand for others, which were not told before."""

    type: Literal["exemplars"]
    requests: list[ExemplarRecord]


class EventMessage(TypedDict):
    """Something for the journal: a worker that died."""

    type: Literal["event"]
    level: Level
    text: str


class WorkersMessage(TypedDict):
    """What each load worker has done so far: at the end of a load in several processes, and when one of them falls
    silent or is heard again."""

    type: Literal["workers"]
    workers: list[WorkerRecord]


class Done(TypedDict):
    """The load is over. `abandoned` requests were sent, and their users stopped before a response came."""

    type: Literal["done"]
    reason: str
    requests: int
    errors: dict[str, int]
    seconds: float
    late: int
    abandoned: int


LoadMessage = (
    Ready | Refused | Started | DigestMessage | SampleMessage | ExemplarsMessage | EventMessage | WorkersMessage | Done
)
