"""The plan of a load process: one JSON object on the first line of its stdin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from chaos.experiment.call import Call
from chaos.experiment.feeder import Fed, Feeder
from chaos.protocol.load_workers import Joining

CLIENTS = ("lean", "locust")
ARRIVALS = ("even", "poisson")


class BadPlan(ValueError):  # noqa: N818 - named for what it is
    """The plan cannot be carried out; the message says why."""


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of request.

    `url` names a mesh host and goes to the gateway with that Host, an `https` one to the plan's `secure` listener if
    there is one; a `direct` task goes to the URL's own address.
    `timeout` is in seconds, for the whole exchange. `expect` may have `status` (a list of numbers and `2xx`), `body`
    (a text, or `/regex/`) and `json`: what is checked of each response. `fed` are the parts that a row of the plan's
    feeder fills. A task with `call` is a gRPC call, of which the body is the message as JSON. Of one that is `compared`
    a policy changes bodies, so that the load looks whether they are as usual."""

    name: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    weight: int = 1
    direct: bool = False
    timeout: float = 60.0
    expect: Mapping[str, Any] | None = None
    fed: Fed | None = None
    call: Call | None = None
    compared: bool = False

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Task:
        """Read the task from parsed JSON. Raises TypeError."""
        fed, call = value.get("fed"), value.get("call")
        read = {"fed": None if fed is None else Fed.of(fed), "call": None if call is None else Call(**call)}
        return cls(**{**value, **read})

    @property
    def host(self) -> str:
        """The Host header, from the URL."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def target(self) -> str:
        """Path and query."""
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@dataclass(frozen=True, slots=True)
class Plan:
    """What one load process does.

    `gateway` is its URL. `secure` is the URL of its first HTTPS listener, to which tasks with an https URL go, over TLS
    with the URL's host as server name; `ca` is the file with the CA (PEM) by which it is known. `variables` are set in
    the environment before a locustfile is loaded.
    `duration` (seconds) or `requests`, whichever is reached first, ends the load; without both it
    runs until it is stopped. `arrival_rate` (requests per second) makes it an open model; `arrivals` is one of
    ARRIVALS. `stages` are `[seconds, users, spawn rate]`, one after the other, in place of `users` and `spawn_rate`;
    the first is longer by the seconds of `warmup`, which precede the first phase.
    Without `keep_alive` every request has a connection of its own. `wait` is the time in seconds that a user of a
    closed model rests after each response. `sample` is the share of requests whose outcomes are reported one by one.
    `tags` means that the gateway sends x-chaos headers; without them an abort is known by Envoy's body. `feeder` has
    the rows that fill the tasks. `replay` lists exact requests, `[task, id, number]` each, that are sent once in place
    of a run's own. Requests without a phase tag belong to `phase`. `interval` is the time between digests in seconds.
    `hold` is the longest time in seconds that a digest waits for the responses to requests of its interval; with 0,
    responses are counted as they come. With `waits`, users are started in the web UI, not by the plan. With `joining`
    the `processes` are not forked but workers that join, from this host or others. `otel`: each request has a span,
    which is exported."""

    gateway: str
    tasks: tuple[Task, ...]
    secure: str | None = None
    ca: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    seed: int = 1
    users: int = 20
    spawn_rate: float = 100.0
    arrival_rate: float | None = None
    stages: Sequence[tuple[float, int, float]] | None = None
    warmup: float = 0.0
    arrivals: str = "even"
    keep_alive: bool = True
    duration: float | None = None
    requests: int | None = None
    wait: float = 0.0
    client: str = "lean"
    processes: int = 1
    ui: str | None = None
    locustfile: str | None = None
    admin: str | None = None
    tags: bool = True
    sample: float = 0.0
    phase: str = ""
    interval: float = 1.0
    hold: float = 0.0
    waits: bool = False
    joining: Joining | None = None
    replay: tuple[tuple[str, str, int], ...] | None = None
    feeder: Feeder | None = None
    otel: bool = False

    @classmethod
    def of(cls, value: Any) -> Plan:
        """Read the plan from parsed JSON. Raises BadPlan."""
        if not isinstance(value, dict):
            raise BadPlan("the plan must be a JSON object")
        known = {each.name for each in fields(cls)}
        known -= {"tasks", "replay", "feeder", "joining"}
        given = {name: each for name, each in value.items() if name in known}
        try:
            tasks = tuple(Task.of(task) for task in value.get("tasks", ()))
            replay = value.get("replay")
            feeder = value.get("feeder")
            joining = value.get("joining")
            made = cls(
                tasks=tasks,
                replay=None if replay is None else tuple((task, request, number) for task, request, number in replay),
                feeder=None if feeder is None else Feeder.of(feeder),
                joining=None if joining is None else Joining.of(joining),
                **given,
            )
        except (TypeError, KeyError, ValueError) as error:
            raise BadPlan(f"the plan is malformed: {error}") from None
        return made._checked()

    def _checked(self) -> Plan:
        if self.client not in CLIENTS:
            raise BadPlan(f"client: {self.client!r} is not one of {', '.join(CLIENTS)}")
        if self.arrivals not in ARRIVALS:
            raise BadPlan(f"arrivals: {self.arrivals!r} is not one of {', '.join(ARRIVALS)}")
        if not self.tasks and not self.locustfile:
            raise BadPlan("no tasks and no locustfile: nothing to send")
        if self.users < 1 or self.processes < 1 or self.spawn_rate <= 0 or self.interval <= 0:
            raise BadPlan("users and processes must be at least 1, spawn_rate and interval above 0")
        for url in (self.gateway, *(task.url for task in self.tasks)):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise BadPlan(f"{url!r} is not an http URL")
        if self.secure is not None and (urlsplit(self.secure).scheme != "https" or self.ca is None):
            raise BadPlan(f"secure: {self.secure!r} has to be an https URL, with the file of its CA in `ca`")
        for task in self.tasks:
            if task.weight < 0 or task.timeout <= 0:
                raise BadPlan(f"task {task.name!r}: the weight must be 0 or more, the timeout above 0")
        if self.client == "lean" and self.tasks and any(urlsplit(url).scheme == "https" for url in self._addresses()):
            raise BadPlan("https: the lean client speaks plain HTTP; set `load.client: locust`")
        if self.waits and self.ui is None:
            raise BadPlan("waits: there is no web UI in which the users could be started")
        if self.tasks and not any(task.weight for task in self.tasks):
            raise BadPlan("every task has weight 0")
        names = {task.name for task in self.tasks}
        for name, *_ in self.replay or ():
            if name not in names:
                raise BadPlan(f"replay: no task is called {name!r}")
        columns = self.feeder.columns if self.feeder is not None and self.feeder.rows else ()
        for task in self.tasks:
            if task.fed is not None and not task.fed.columns <= set(columns):
                raise BadPlan(f"task {task.name!r}: the feeder has no rows with {', '.join(sorted(task.fed.columns))}")
        return self

    def _addresses(self) -> list[str]:
        return [self.gateway, *(self._address(task) for task in self.tasks if task.call is None)]

    def _address(self, task: Task) -> str:
        """Return the URL whose address a task's connections go to."""
        if task.direct:
            return task.url
        return self.secure if self.is_secure(task) and self.secure is not None else self.gateway

    def is_secure(self, task: Task) -> bool:
        """Return whether a task goes to the HTTPS listener."""
        return self.secure is not None and not task.direct and urlsplit(task.url).scheme == "https"

    def address_of(self, task: Task) -> tuple[str, int]:
        """Return the host and port that a task's connections go to."""
        parts = urlsplit(self._address(task))
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
