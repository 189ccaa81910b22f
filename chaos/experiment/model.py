"""The model of the document `kind: Experiment`; every field has a default.

Times are in seconds; confidence, tolerance and ramps in percent; hosts as written. `chaos.experiment.read`, `services`
and `tasks` interpret the fields together with the Istio documents. The text under a field is its description in the
JSON Schema.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from chaos.experiment.model_listener import Listener
from chaos.experiment.model_routing_case import RoutingCase
from chaos.experiment.values import Address, Percentage, Seconds, Switch, Text
from chaos.mesh.check.admission.values import regex
from chaos.mesh.model.message import Message, camel_case
from chaos.mesh.request_line import wrong_port
from chaos.statuses import CODES, of_grpc

API_VERSION = "chaos/v1alpha1"
KIND = "Experiment"
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")


class Model(Message):
    """A message that is read as Istio's own are: frozen, camelCase, unknown fields refused, null is absent."""


class Metadata(Model):
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,100}[A-Za-z0-9])?$")
    """Name of the run's folder under reports/; by default the file's name."""
    labels: dict[str, str] = {}
    """Labels; they mean nothing here."""
    annotations: dict[str, str] = {}
    """Annotations; they mean nothing here."""


class Proxy(Model):
    """The proxy that the gateway acts as: a sidecar (`gateway: mesh`) or an Istio Gateway by name."""

    gateway: str = "mesh"
    """`mesh` for a sidecar, or an Istio Gateway as `name` or `namespace/name`."""
    namespace: str = "default"
    """Namespace of the proxy: in it names without a dot are looked up, and its `exportTo` counts."""
    labels: dict[str, Text] = {}
    """Labels of the proxy's pod, with which `sourceLabels` and selectors are compared."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Port of the listener, with which `match.port` is compared."""


class ServiceEndpoint(Model):
    address: Address
    """Where it listens, like `127.0.0.1:9001`; a host beyond this machine must be in allowHosts."""
    labels: dict[str, Text] = {}
    """Labels of its pod, by which subsets choose it."""
    workload: str | None = Field(default=None, min_length=1)
    """Name of a Pod, Deployment or the like in the files, `name` or `namespace/name`, whose labels it has, too."""
    weight: int = Field(default=1, ge=1, le=2**32 - 1)
    """Share of the requests among the endpoints of a host: weight / sum of weights."""


class Readiness(Model):
    """When a program is ready: when it accepts connections and, with `path`, responds with a status below 500 there."""

    path: str | None = Field(default=None, pattern="^/")
    """Path that is asked until it responds."""
    timeout: Seconds = 30.0
    """How long the program may take to become ready."""


def _command(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Service(Model):
    """What is behind a host of the mesh: listed endpoints, a built-in service, or a program to start."""

    endpoints: tuple[ServiceEndpoint, ...] | None = None
    """Endpoints that are there already, on this machine or in allowHosts."""
    builtin: Literal["webserver", "proxy"] | None = None
    """A service that comes with chaos: a webserver that says its version, or a proxy that calls `url`."""
    command: (
        Annotated[tuple[str, ...], BeforeValidator(_command, json_schema_input_type=str | tuple[str, ...])] | None
    ) = Field(default=None, min_length=1)
    """A program and its arguments; a single text is run by the shell. Its environment has PORT, HTTP_PROXY and
    CHAOS_GATEWAY."""

    protocol: Literal["HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS", "TLS", "TCP", "MONGO", "REDIS", "MYSQL"] = "HTTP"
    """Protocol of the port, like the name or appProtocol of a Kubernetes Service's port. HTTP rules are never applied
    to HTTPS, TLS, TCP and the databases. A ServiceEntry has its own."""

    version: str | None = None
    """Label `version` of its instances."""
    versions: tuple[str, ...] | None = Field(default=None, min_length=1)
    """One set of instances for each of these versions."""
    instances: int = Field(default=1, ge=1, le=64)
    """Number of instances of each version, for a built-in service."""
    url: str | None = Field(default=None, pattern="^https?://[^/]")
    """URL that the built-in proxy calls."""
    retries: int = Field(default=0, ge=0, le=10)
    """Number of retries of the built-in proxy after a failure, like those of an application."""

    env: dict[str, Text] = {}
    """Variables for the program; `${NAME}` and `${NAME:-default}` in them are variables of this environment."""
    cwd: str | None = None
    """Folder in which the program is started; by default that of the experiment file."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Port that the program listens on, if it ignores PORT; or that of a built-in service's first instance, with the
    next ports for the others. By default free ports are chosen."""
    readiness: Readiness = Readiness()
    """When the program counts as started."""
    labels: dict[str, Text] = {}
    """Labels of its instances, by which subsets choose them."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [name for name in ("endpoints", "builtin", "command") if getattr(self, name) is not None]
        if len(kinds) != 1:
            given = f"{' and '.join(kinds)} are given" if kinds else "none is given"
            raise ValueError(f"needs exactly one of endpoints, builtin and command; {given}")
        allowed = {
            "endpoints": set(),
            "builtin": {"version", "versions", "instances", "labels", "port"}
            | ({"url", "retries"} if self.builtin == "proxy" else set()),
            "command": {"env", "cwd", "port", "readiness", "labels", "version"},
        }[kinds[0]]
        for name in sorted(self.model_fields_set - allowed - set(kinds) - {"protocol"}):
            raise ValueError(f"{camel_case(name)} cannot be used with {self.builtin or kinds[0]}")
        if self.version and self.versions:
            raise ValueError("version and versions exclude each other")
        if self.builtin == "proxy" and self.url is None:
            raise ValueError("builtin: proxy needs url, the address that it calls")
        return self


class BodyFile(Model):
    """A file whose text is the body, relative to the experiment file. It is sent as it is, without variables."""

    file: str
    """Name of the file, relative to the experiment file."""


def _body_in_file(value: Any) -> Literal["text", "file"]:
    return "file" if isinstance(value, dict | BodyFile) else "text"


_STATUS_CLASS = re.compile("[1-5]xx")


def _statuses(value: Any) -> Any:
    """Return a list of statuses for one or several. Raises ValueError for what is none."""
    found = value if isinstance(value, list) else [value]
    for each in found:
        is_name = isinstance(each, str) and (_STATUS_CLASS.fullmatch(each) or each in CODES)
        is_number = isinstance(each, int) and not isinstance(each, bool) and 100 <= each <= 599
        if not is_name and not is_number:
            raise ValueError(f"{each!r} is not a status; write it like 200, 2xx, [200, 404] or, of gRPC, UNAVAILABLE")
    if not found:
        raise ValueError("a list without a status is met by no response")
    return found


def _body_test(value: Any) -> Any:
    """Return the text or `/regex/`. Raises ValueError with RE2's message for a regex that it refuses."""
    is_regex = isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == "/"
    if is_regex and (wrong := regex(value[1:-1])):
        raise ValueError(wrong)
    return value


class Expect(Model):
    """What a task expects of a response. One that is not so is a failed check, whatever its status;
    `checks_failed < 1%` in `verify.expect` judges how many there are."""

    status: Annotated[
        tuple[int | str, ...] | None,
        BeforeValidator(_statuses, json_schema_input_type=int | str | list[int | str]),
    ] = None
    """A status, a class like `2xx`, or a list of them; of a gRPC call names like OK and UNAVAILABLE."""
    body: Annotated[str, BeforeValidator(_body_test)] | None = None
    """A text that the body contains, or `/regex/`, which matches somewhere in it (RE2)."""
    json_body: Any = Field(default=None, alias="json")
    """A value that the body is, as JSON: of an object these fields at least, of a list these items and no others."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set & {"status", "body", "json_body"}:
            raise ValueError("expects nothing; give status, body or json")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return what was given, as the plan of a load has it."""
        numbers = (of_grpc(CODES[each]) if each in CODES else each for each in self.status or ())
        given: dict[str, Any] = {} if self.status is None else {"status": list(numbers)}
        if self.body is not None:
            given["body"] = self.body
        if "json_body" in self.model_fields_set:
            given["json"] = self.json_body
        return given


_HTTP_METHOD = re.compile("[A-Z]{1,20}")
_OWN_OF_GRPC = {"content-type", "te", "user-agent"}


class Task(Model):
    """One kind of request; `{get: URL}` is short for `{method: GET, url: URL}`, and `kind: grpc` makes it a gRPC call.
    In URL, headers, body and json, `${NAME}` and `${NAME:-default}` are columns of the feeder, else variables of the
    environment, and `$${` is a plain `${`."""

    kind: Literal["http", "grpc"] = "http"
    """With `grpc`, a call of `method` of `service`, with one request and one response; `json` is its message, `headers`
    are its metadata, and `timeout` is its deadline."""
    service: str | None = Field(default=None, pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
    """The service that a gRPC call asks, with its package: `shop.Echo`."""
    proto: str | None = Field(default=None, min_length=1)
    """The .proto file with the service, relative to the experiment file. Without it, the service's own server is asked
    (server reflection), and not through the gateway."""
    get: str | None = None
    """URL of a GET request."""
    head: str | None = None
    """URL of a HEAD request."""
    post: str | None = None
    """URL of a POST request."""
    put: str | None = None
    """URL of a PUT request."""
    patch: str | None = None
    """URL of a PATCH request."""
    delete: str | None = None
    """URL of a DELETE request."""
    options: str | None = None
    """URL of a OPTIONS request."""
    method: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,199}$")
    """Method of the request to `url`, GET by default; or that of the gRPC service, like `Say`."""
    url: str | None = None
    """URL of the request: a host of the mesh, which is reached through the gateway, or an application's. That of a gRPC
    call has no path."""
    name: str | None = Field(default=None, min_length=1, max_length=100)
    """What the task is called in verdicts and reports; method and path by default."""
    headers: dict[str, Text] = {}
    """Headers of the request."""
    body: (
        Annotated[
            Annotated[str, Tag("text")] | Annotated[BodyFile, Tag("file")],
            Discriminator(_body_in_file),
        ]
        | None
    ) = None
    """The body's text, or `{file: body.json}`."""
    json_body: Any = Field(default=None, alias="json")
    """A value that is sent as JSON, with its content type."""
    weight: int = Field(default=1, ge=1)
    """Share of the requests among the tasks: weight / sum of weights."""
    timeout: Seconds = 60.0
    """How long the client waits for the whole response."""
    expect: Expect | None = None
    """What a response must be; one that is not so is a failed check."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        given = [name for name in (*METHODS, "url") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "needs one target: get, post, put, patch, delete, head or options with a URL; or method and url"
            )
        if self.method is not None and given != ["url"]:
            raise ValueError(f"method and {given[0]} exclude each other")
        if self.body is not None and self.json_body is not None:
            raise ValueError("body and json exclude each other")
        if "HEAD" in (given[0].upper(), self.method) and self.expect and self.expect.model_fields_set - {"status"}:
            raise ValueError("a response to HEAD has no body to expect something of")
        self._check_kind(given[0])
        target = getattr(self, given[0])
        if "${" in target:  # a variable that is missing, which is told of already
            return self
        if not target.startswith(("http://", "https://")) or target.rstrip("/").endswith(":"):
            raise ValueError(f"{target!r} is not a URL; write it like http://webserver/path")
        if wrong := wrong_port(re.split("[/?#]", target.partition("://")[2], maxsplit=1)[0]):
            raise ValueError(f"{target!r}: {wrong}")
        if self.kind == "grpc" and target.partition("://")[2].rstrip("/").count("/"):
            raise ValueError(f"{target!r} has a path; that of a gRPC call follows from service and method")
        return self

    def _check_kind(self, given: str) -> None:
        """Raise ValueError for what does not go with the kind of request."""
        if self.kind == "grpc":
            self._check_call(given)
            return
        for name in ("service", "proto"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name} is of a gRPC call; it needs kind: grpc")
        if self.method is not None and not _HTTP_METHOD.fullmatch(self.method):
            raise ValueError(f"{self.method!r} is not a method; write it like GET")
        if self.expect is not None and any(each in CODES for each in self.expect.status or ()):
            raise ValueError("a gRPC status is expected of an HTTP request; write it like 200, or kind: grpc")

    def _check_call(self, given: str) -> None:
        """Raise ValueError for what a gRPC call lacks or cannot have."""
        if given != "url" or self.service is None or self.method is None:
            raise ValueError("a gRPC call needs url, service and method, like http://echo:50051, shop.Echo and Say")
        if self.body is not None:
            raise ValueError("a gRPC call has no body; give its message as json")
        own = [name for name in self.headers if name.lower() in _OWN_OF_GRPC or name.lower().startswith("grpc-")]
        if own:
            raise ValueError(f"{own[0]} is set by every gRPC client itself, and cannot be given")
        if self.expect is None:
            return
        if self.expect.body is not None:
            raise ValueError("the response of a gRPC call is a message; expect json of it")
        if any(each not in CODES for each in self.expect.status or ()):
            raise ValueError("the status of a gRPC call is a name like OK or UNAVAILABLE, or a list of them")

    @property
    def target(self) -> tuple[str, str]:
        """Method and URL of the request."""
        for name in METHODS:
            if (url := getattr(self, name)) is not None:
                return name.upper(), url
        return self.method or "GET", self.url or ""


class Stage(Model):
    """A stretch of the load with its own number of users. The next stage begins when its duration is over."""

    duration: Seconds
    """How long the stage lasts."""
    users: int = Field(ge=1, le=100_000)
    """Number of users at the same time."""
    spawn_rate: float = Field(default=100.0, gt=0)
    """Number of users started, or stopped, per second."""


class Feeder(Model):
    """Rows of values for the tasks: `${column}` in URL, headers, body and json is the value of the request's row."""

    file: str = Field(min_length=1)
    """A CSV file whose first line names the columns, relative to the experiment file."""
    order: Literal["sequential", "random"] = "sequential"
    """Which row a request takes: its number's, from the first row again after the last; or one that follows from the
    seed and its id."""


def _feeder(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


class Load(Model):
    users: int = Field(default=20, ge=1, le=100_000)
    """Users at the same time, each of which waits for a response before it sends its next request. By default as many
    as delayed requests take, and 20 at least."""
    spawn_rate: float = Field(default=100.0, gt=0)
    """Number of users started per second."""
    warmup: Seconds | None = None
    """How long requests are sent as in the first phase before it begins. No verdict, hypothesis or figure counts
    them; safeguards watch them."""
    until: Literal["decided"] | None = None
    """Stop as soon as no verdict is open; the default if neither duration nor requests is given."""
    duration: Seconds | None = None
    """Stop after this time."""
    requests: int | None = Field(default=None, ge=1)
    """Stop after this number of requests."""
    arrival_rate: float | None = Field(default=None, gt=0)
    """Requests per second, sent without waiting for responses (open model). Without it, users wait for each
    response."""
    arrivals: Literal["even", "poisson"] = "even"
    """How the requests of an open model are spaced: evenly, or as a Poisson process, like those of many independent
    users."""
    keep_alive: bool = True
    """With false, every request has a connection of its own."""
    stages: tuple[Stage, ...] = ()
    """In place of users and spawnRate: one number of users after another. After the last one the load ends, unless
    something else says when; users of the last stage stay until then."""
    tasks: tuple[Task, ...] = ()
    """Requests to send. By default, one that takes each rule is derived from the rules."""
    feeder: Annotated[Feeder, BeforeValidator(_feeder, json_schema_input_type=str | Feeder)] | None = None
    """A CSV file, or `{file: users.csv, order: random}`, whose values tasks name as `${column}`."""
    client: Literal["lean", "locust"] = "lean"
    """What sends the requests: bare sockets, or Locust's FastHttpUser, which is slower and speaks TLS. By default
    `lean`, and `locust` where tasks have https URLs."""
    processes: int = Field(default=1, ge=1, le=64)
    """Number of load processes on this machine."""
    workers: int | None = Field(default=None, ge=1, le=1000)
    """In place of processes: the number of load workers, each one process of `chaos load-worker` on this host or
    others, that the run waits for."""
    locustfile: str | None = None
    """A Locust file with users of your own, in place of tasks; relative to the experiment file."""

    @model_validator(mode="before")
    @classmethod
    def _users_of_stages(cls, value: Any) -> Any:
        """Return the load with as many users as the stage with most has."""
        stages = value.get("stages") if isinstance(value, dict) else None
        if not stages or not isinstance(stages, list):
            return value
        found = [each.get("users") for each in stages if isinstance(each, dict)]
        for name in ("users", "spawnRate"):
            if value.get(name) is not None:
                raise ValueError(f"stages and {name} exclude each other; each stage has its own")
        return {**value, "users": max((each for each in found if isinstance(each, int)), default=1)}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.stages and (self.locustfile is not None or self.arrival_rate is not None):
            other = "a locustfile, which has its own shape" if self.locustfile is not None else "arrivalRate"
            raise ValueError(f"stages cannot be used with {other}")
        if self.workers is not None and self.processes > 1:
            raise ValueError("workers and processes exclude each other: a load is carried by one kind of them")
        if self.arrivals == "poisson" and self.arrival_rate is None:
            raise ValueError("arrivals: poisson needs arrivalRate, the requests per second")
        if self.locustfile is not None and not self.keep_alive:
            raise ValueError("keepAlive is for tasks; the users of a locustfile have connections of their own")
        if self.feeder is not None and not self.tasks:
            other = "a locustfile reads its own data" if self.locustfile is not None else "there are none"
            raise ValueError(f"feeder is for tasks that name its columns; {other}")
        return self


class Verify(Model):
    confidence: float = Field(default=99.0, ge=50, lt=100)
    """In percent: the probability of a wrong verdict in the whole run is at most 100 - confidence percent."""
    tolerance: float = Field(default=2.0, gt=0, le=50)
    """In percentage points: how far from the configured share is still right."""
    certain_tolerance: float | None = Field(default=None, gt=0, le=50)
    """In percentage points: how far from 0 % and 100 % may still be possible when *never* and *always* are verified. By
    default a twentieth of the tolerance, and at least 0.1 points. A counter-example refutes them in any case."""
    expect: tuple[str, ...] = ()
    """Hypotheses, like `failures < 5%` or `recovery: p99 < 200ms within 5s`."""
    unreached: Literal["allow"] | tuple[str, ...] = ()
    """Names of rules that no request needs to reach, or `allow` for all. Any other rule that none reaches is exit
    code 6."""
    failures: Literal["allow"] | None = None
    """With `allow`, requests that fail by themselves (nothing is behind) and lost responses are not judged."""


class Ramp(Model):
    """A percentage that rises or falls in steps, each of which is a phase with its own verdicts."""

    vary: str
    """The fault level to vary: `<host>.abort` or `<host>.delay`."""
    start: Percentage = Field(alias="from")
    """Percentage of the first step."""
    to: Percentage
    """Percentage of the last step."""
    steps: int = Field(default=5, ge=2, le=50)
    """Number of steps, the first and the last included."""


class Phase(Model):
    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,40}$")
    """Name of the phase, which hypotheses may begin with: `recovery: p99 < 200ms`."""
    faults: Switch = True
    """With `off`, no fault of the rules fires."""
    duration: Seconds | None = None
    """End the phase after this time."""
    requests: int | None = Field(default=None, ge=1)
    """End the phase after this number of requests."""
    until: Literal["decided"] | None = None
    """End the phase as soon as none of its verdicts is open."""
    rules: tuple[str, ...] = ()
    """Files whose Istio documents replace the experiment's for this phase, relative to the experiment file."""
    ramp: Ramp | None = None
    """Raise or lower a percentage in steps."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.ramp is not None and not self.faults:
            raise ValueError("a ramp needs faults: on")
        return self


class Safeguard(Model):
    """A condition that stops the run and switches faults off if it is violated for the time `for` without a break."""

    hold: str
    """What must hold, as in `verify.expect`: `failures < 50%`."""
    hold_for: Seconds = Field(default=1.0, alias="for")
    """How long it must be violated without a break."""


def _safeguard(value: Any) -> Any:
    return {"hold": value} if isinstance(value, str) else value


SafeguardWritten = Annotated[Safeguard, BeforeValidator(_safeguard, json_schema_input_type=str | Safeguard)]


class Search(Model):
    """A search for the largest abort percentage or delay at which the hypothesis `hold` still holds."""

    vary: str
    """The fault level to vary: `<host>.abort` or `<host>.delay` (percent), `<host>.fixedDelay` (a duration)."""
    start: Percentage | Seconds = Field(alias="from")
    """The lowest level."""
    to: Percentage | Seconds
    """The highest level."""
    hold: str
    """The hypothesis that must hold, as in `verify.expect`: `failures < 5%`."""
    resolution: Percentage | Seconds | None = None
    """How close the two levels of the answer must be."""


class Spec(Model):
    description: str = ""
    """What the experiment is about, in a sentence; the report shows it."""
    resources: tuple[str, ...] = ()
    """More files with Istio documents, relative to this one."""
    proxy: Proxy = Proxy()
    """The proxy that applies the rules."""
    services: dict[str, Service] | None = None
    """The service registry: from host[:port] to what is behind it. If given, it is complete: other hosts are
    unknown."""
    listeners: tuple[Listener, ...] = ()
    """Further doors to the same rules, beside the one that every run has. They need `--engine envoy`."""
    load: Load = Load()
    """The requests: who sends how many, of which kind, for how long."""
    verify: Verify = Verify()
    """What is verified, and with which certainty."""
    phases: tuple[Phase, ...] = ()
    """Stretches of the run, one after the other, each with its own verdicts; by default there is one."""
    safeguards: tuple[SafeguardWritten, ...] = ()
    """Conditions that stop the run: `failures < 50%`, or `{hold: p99 < 2s, for: 5s}`."""
    search: Search | None = None
    """Look for the largest fault at which a hypothesis holds, in place of phases."""
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    """Fixes every draw: the same seed gives the same requests the same faults. By default another one each time."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts outside this machine that load may be sent to and requests forwarded to."""
    tests: tuple[RoutingCase, ...] = ()
    """Tests of routing, for `chaos test`; a run ignores them."""


class Experiment(Model):
    """One experiment: the rules to apply, the services behind them, the load, and the claims to verify."""

    api_version: Literal["chaos/v1alpha1"] = "chaos/v1alpha1"
    """Version of this format."""
    kind: Literal["Experiment"] = "Experiment"
    """The document that says what to run; a file has one at most."""
    metadata: Metadata = Metadata()
    """Name, labels and annotations."""
    spec: Spec = Spec()
    """What to run, and what to verify."""
