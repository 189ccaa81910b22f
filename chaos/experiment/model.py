"""The experiment file's own document, `kind: Experiment`, as typed values; everything has a default.

Units inside: seconds, percent where the field says so (confidence, tolerance, ramps), hosts as written. What the fields
mean together with the Istio documents is for others (`chaos.experiment.read`, `services`, `tasks`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from chaos.experiment.values import Address, Percentage, Seconds, Switch, Text
from chaos.mesh.model.message import Message, camel_case

API_VERSION = "chaos/v1alpha1"
KIND = "Experiment"
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")


class Model(Message):
    """Read as Istio's own messages are: frozen, camelCase, unknown fields refused, null is absent."""


class Metadata(Model):
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,100}[A-Za-z0-9])?$")
    """Names the run's folder under reports/; the file's name when absent."""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Proxy(Model):
    """Whose proxy the gateway plays: a sidecar (`gateway: mesh`) or an Istio Gateway by name."""

    gateway: str = "mesh"
    namespace: str = "default"
    labels: dict[str, Text] = {}
    port: int | None = Field(default=None, ge=1, le=65535)
    """The listener's port, which `match.port` is compared with."""


class ServiceEndpoint(Model):
    address: Address
    labels: dict[str, Text] = {}
    weight: int = Field(default=1, ge=1)


class Readiness(Model):
    """How to tell that a program is ready: it accepts connections and, with `path`, answers below 500 there."""

    path: str | None = Field(default=None, pattern="^/")
    timeout: Seconds = 30.0


def _command(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Service(Model):
    """Where a host of the mesh really is: listed endpoints, a built-in service, or a program to start."""

    endpoints: tuple[ServiceEndpoint, ...] | None = None
    builtin: Literal["webserver", "proxy"] | None = None
    command: Annotated[tuple[str, ...], BeforeValidator(_command)] | None = Field(default=None, min_length=1)
    """A program and its arguments; a single text is handed to the shell. It gets PORT, HTTP_PROXY and CHAOS_GATEWAY."""

    protocol: Literal["HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS", "TLS", "TCP", "MONGO", "REDIS", "MYSQL"] = "HTTP"
    """What the port speaks, as the name or appProtocol of a Kubernetes Service's port says it. HTTP rules are never
    applied to HTTPS, TLS, TCP and the databases. A ServiceEntry says it itself."""

    version: str | None = None
    versions: tuple[str, ...] | None = Field(default=None, min_length=1)
    instances: int = Field(default=1, ge=1, le=64)
    """Instances of each version, for a built-in service."""
    url: str | None = Field(default=None, pattern="^https?://[^/]")
    """What the built-in proxy calls."""
    retries: int = Field(default=0, ge=0, le=10)
    """How often the built-in proxy tries again after a failure, as an application with retries of its own does."""

    env: dict[str, Text] = {}
    cwd: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    """The port that the program listens on, when it does not heed PORT; of a built-in service's first instance, the
    next ones follow. Free ports are taken when absent."""
    readiness: Readiness = Readiness()
    labels: dict[str, Text] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [name for name in ("endpoints", "builtin", "command") if getattr(self, name) is not None]
        if len(kinds) != 1:
            said = " and ".join(kinds) or "none of them"
            raise ValueError(f"needs exactly one of endpoints, builtin and command; {said} given")
        allowed = {
            "endpoints": set(),
            "builtin": {"version", "versions", "instances", "labels", "port"}
            | ({"url", "retries"} if self.builtin == "proxy" else set()),
            "command": {"env", "cwd", "port", "readiness", "labels", "version"},
        }[kinds[0]]
        for name in sorted(self.model_fields_set - allowed - set(kinds) - {"protocol"}):
            raise ValueError(f"{camel_case(name)} does not go with {self.builtin or kinds[0]}")
        if self.version and self.versions:
            raise ValueError("version and versions exclude each other")
        if self.builtin == "proxy" and self.url is None:
            raise ValueError("builtin: proxy needs url, the address that it calls")
        return self


class Task(Model):
    """One kind of request; `{get: URL}` is short for `{method: GET, url: URL}`."""

    get: str | None = None
    head: str | None = None
    post: str | None = None
    put: str | None = None
    patch: str | None = None
    delete: str | None = None
    options: str | None = None
    method: str | None = Field(default=None, pattern=r"^[A-Z]{1,20}$")
    url: str | None = None
    name: str | None = Field(default=None, min_length=1, max_length=100)
    headers: dict[str, Text] = {}
    body: str | None = None
    json_body: Any = Field(default=None, alias="json")
    weight: int = Field(default=1, ge=1)
    timeout: Seconds = 60.0

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
        target = getattr(self, given[0])
        if not target.startswith(("http://", "https://")) or target.rstrip("/").endswith(":"):
            raise ValueError(f"{target!r} is not a URL; write it like http://webserver/path")
        return self

    @property
    def target(self) -> tuple[str, str]:
        """Method and URL."""
        for name in METHODS:
            if (url := getattr(self, name)) is not None:
                return name.upper(), url
        return self.method or "GET", self.url or ""


class Load(Model):
    users: int = Field(default=20, ge=1, le=100_000)
    spawn_rate: float = Field(default=100.0, gt=0)
    """Users started per second."""
    until: Literal["decided"] | None = None
    """Stop at the first moment at which no verdict is open; the default when neither duration nor requests is given."""
    duration: Seconds | None = None
    requests: int | None = Field(default=None, ge=1)
    arrival_rate: float | None = Field(default=None, gt=0)
    """Requests per second that fall due whatever the answers do (open model); absent: users wait for answers."""
    tasks: tuple[Task, ...] = ()
    """Derived from the rules when absent: a request that takes each rule."""
    client: Literal["lean", "locust"] = "lean"
    processes: int = Field(default=1, ge=1, le=64)
    locustfile: str | None = None


class Verify(Model):
    confidence: float = Field(default=99.0, ge=50, lt=100)
    """Percent; the run as a whole is wrong at most 100 - confidence percent of the time."""
    tolerance: float = Field(default=2.0, gt=0, le=50)
    """Percentage points."""
    expect: tuple[str, ...] = ()
    """Hypotheses, like `failures < 5%` or `recovery: p99 < 200ms within 5s`."""
    unreached: Literal["allow"] | tuple[str, ...] = ()
    """Names of rules that this load need not reach, or `allow` for all; else one that it cannot is exit code 6."""


class Ramp(Model):
    """A percentage that rises (or falls) in steps, each a phase of its own with its own expectations."""

    vary: str
    start: Percentage = Field(alias="from")
    to: Percentage
    steps: int = Field(default=5, ge=2, le=50)


class Phase(Model):
    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,40}$")
    faults: Switch = True
    duration: Seconds | None = None
    requests: int | None = Field(default=None, ge=1)
    until: Literal["decided"] | None = None
    rules: tuple[str, ...] = ()
    """Files whose Istio documents replace the experiment's for this phase, relative to the experiment file."""
    ramp: Ramp | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.ramp is not None and not self.faults:
            raise ValueError("a ramp needs faults: on")
        return self


class Safeguard(Model):
    """A bound that must hold while the run goes on; broken for `for` at a stretch, the run stops and faults go off."""

    hold: str
    hold_for: Seconds = Field(default=1.0, alias="for")


def _safeguard(value: Any) -> Any:
    return {"hold": value} if isinstance(value, str) else value


class Search(Model):
    """Bisect for the largest fault at which `hold` still holds: an abort percentage, or a delay."""

    vary: str
    """What varies: `<host>.abort` or `<host>.delay` (percent), `<host>.fixedDelay` (a duration)."""
    start: Percentage | Seconds = Field(alias="from")
    to: Percentage | Seconds
    hold: str
    resolution: Percentage | Seconds | None = None


class Spec(Model):
    description: str = ""
    resources: tuple[str, ...] = ()
    """More files with Istio documents, relative to this one."""
    proxy: Proxy = Proxy()
    services: dict[str, Service] | None = None
    """The service registry, host[:port] -> where it really is. Given, it is complete: other hosts are unknown."""
    load: Load = Load()
    verify: Verify = Verify()
    phases: tuple[Phase, ...] = ()
    safeguards: tuple[Annotated[Safeguard, BeforeValidator(_safeguard)], ...] = ()
    search: Search | None = None
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    allow_hosts: tuple[str, ...] = ()
    """Hosts beyond loopback that may receive load or be forwarded to."""


class Experiment(Model):
    """One experiment: what to apply, who answers, which load, and what must hold."""

    api_version: Literal["chaos/v1alpha1"] = "chaos/v1alpha1"
    kind: Literal["Experiment"] = "Experiment"
    metadata: Metadata = Metadata()
    spec: Spec = Spec()
