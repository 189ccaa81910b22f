"""What a load worker tells its master, and what the master tells of its workers.

Nothing here is a time of day or a clock's value: the clocks of two hosts do not agree. Seconds count from the
beginning of the worker's own load."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from chaos.protocol.digest import EntryRecord
from chaos.protocol.exemplars import ExemplarRecord

THIS_HOST = "this host"

State = Literal["there", "silent", "lost"]


class Told(TypedDict):
    """What became of requests since the worker's last message; `last` if nothing follows.

    `age` is how old its load was when this was sent, None before it began; what was sent before `told_until` has been
    told. `entries`, `pairs`, `pending` and `parts` are a digest's. `untold` is `[phase, task, count]` of the requests
    that it has sent and that are in no digest and not pending: nobody knows of them if it is never heard of again.
    `sent` is how many it has sent in all. `late` requests of an open model found no idle user, the latest one was
    `behind` seconds late; for `paused` seconds in all it has sent nothing, because it did not hear its master."""

    process: int
    last: bool
    age: float | None
    told_until: float
    finished: bool
    entries: list[EntryRecord]
    pairs: list[list[Any]]
    parts: dict[str, Any]
    pending: list[list[Any]]
    untold: list[list[Any]]
    held: list[list[Any]]
    sent: int
    users: int
    cpu: float
    late: int
    behind: float
    paused: float
    samples: list[list[Any]]
    exemplars: list[ExemplarRecord]
    share: float
    abandoned: int


class WorkerRecord(TypedDict):
    """One load worker: `worker` counts from 1, `requests` are those that it told of, `silent` is for how many seconds
    in all nothing was heard of it beyond what is usual, and `unknown` how many requests nobody knows of. `cpu` is the
    most it used of a core, `behind` and `paused` are seconds (`Told`)."""

    worker: int
    host: str
    state: State
    requests: int
    unknown: int
    late: int
    behind: float
    paused: float
    silent: float
    cpu: float
