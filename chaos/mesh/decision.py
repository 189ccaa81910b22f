"""The values that the core and the gateway share: what a request is, and the decision about it.

The core is given a `Request` and numbers in [0, 1) (`Draws`) and returns a `Decision`, which the gateway executes
without looking at a rule again. All texts are bytes as received: Envoy compares bytes, and nothing is decoded on the
request path. Header names are in lower case, values trimmed, in the order received, repeats kept. Objects that belong
to a rule are built once, when the rules are compiled, and shared by all its requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from chaos.errors import Location
from chaos.faults import FaultKind
from chaos.mesh.request_line import parse_request_line

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Request:
    """One downstream request as the gateway has parsed it.

    `target` is path and query in origin form, not yet normalised; `authority` is Host as received (or the authority of
    an absolute-form target); `remote` is the client's address without its port; `id` is the x-request-id that is sent
    upstream; `fields` are the headers by name, the last of several lines; `url_scheme` is the scheme of an
    absolute-form target. `flags` are Envoy's response flags of what has been done to it so far (%RESPONSE_FLAGS%), each
    followed by a comma; the gateway adds to them."""

    method: bytes
    target: bytes
    authority: bytes
    headers: Headers
    scheme: bytes = b"http"
    remote: bytes = b"127.0.0.1"
    id: bytes = b""
    fields: dict[bytes, bytes] | None = None
    url_scheme: bytes = b""
    flags: bytes = b""

    @classmethod
    def parse(cls, text: str, headers: Iterable[str] | Mapping[str, str] = ()) -> Request:
        """A request written by hand: `GET http://reviews/x?y=1` or `reviews/x`, with header lines `name: value` or
        headers by name. A `Host` header replaces the URL's host. Raises InvalidInput with what would be right."""
        return cls(*parse_request_line(text, headers), id=b"00000000-0000-4000-8000-000000000000")

    def index(self) -> dict[bytes, bytes]:
        """Return `fields`, and build them now if the gateway has not."""
        if self.fields is None:
            self.fields = dict(self.headers)
        return self.fields


class Draws(Protocol):
    """The numbers in [0, 1) that decide one request: independent between purposes, the same for the same seed and
    id."""

    def fault(self, kind: FaultKind) -> float: ...
    @property
    def split(self) -> float: ...
    def mirror(self, index: int) -> float: ...
    def apart(self, purpose: str) -> float:
        """Return a number for a purpose of one's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """Identifies the HTTPRoute that took a request.

    `key` is unique and stable across reloads: `virtualservice/<namespace>/<name>/<index>`, for a delegate's rule
    followed by `/<namespace>/<name>/<index>` of the delegate, and `service/<host>:<port>` for the default route of a
    registered service without a VirtualService. `name` is what people read (the HTTPRoute's name, or
    `<VirtualService>[<index>]`) and what x-chaos-route carries. A rule that counts on several listeners is a Rule on
    each: key and name end in `@<port>` on all but the first."""

    key: str
    name: str
    location: Location | None = None

    @property
    def base_key(self) -> str:
        """The key of the HTTPRoute itself, the same on every listener."""
        return self.key.partition("@")[0]

    def at(self, listener: int) -> Rule:
        """Return the same rule for a further listener."""
        return Rule(f"{self.base_key}@{listener}", f"{self.name}@{listener}", self.location)


# --------------------------------------------------------------------------------------------- upstream side


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a cluster, with the labels that subsets select by."""

    address: str
    port: int
    labels: tuple[tuple[str, str], ...] = ()
    weight: int = 1


class Balancing(Enum):
    LEAST_REQUEST = "LEAST_REQUEST"
    ROUND_ROBIN = "ROUND_ROBIN"
    RANDOM = "RANDOM"
    CONSISTENT_HASH = "CONSISTENT_HASH"


@dataclass(frozen=True, slots=True)
class HashKey:
    """What consistentHash hashes: a header, a cookie, the client's address or a query parameter. `cookie_ttl` is in
    seconds, None without a ttl; the other fields of cookies are for one that is made here."""

    header: bytes | None = None
    cookie: bytes | None = None
    cookie_path: bytes = b""
    cookie_ttl: float | None = None
    cookie_attributes: tuple[tuple[bytes, bytes], ...] = ()
    source_ip: bool = False
    query_parameter: bytes | None = None


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How many retries there may be at a time: a share of the requests, but at least a number."""

    share: float
    minimum: int

    def limit(self, requests: int) -> int:
        """Return the limit while so many requests are in flight or wait for a connection."""
        return max(int(self.share * requests), self.minimum)


@dataclass(frozen=True, slots=True)
class CircuitBreakers:
    """Limits per cluster; None means unlimited (Istio sets Envoy's defaults to 2^32-1). A retry budget takes the place
    of `max_retries`."""

    max_connections: int | None = None
    max_pending_requests: int | None = None
    max_requests: int | None = None
    max_requests_per_connection: int | None = None
    max_retries: int | None = None
    retry_budget: RetryBudget | None = None


@dataclass(frozen=True, slots=True)
class OutlierDetection:
    """When endpoints are ejected. Times in seconds, shares in percent; a threshold of 0 is off."""

    consecutive_5xx: int = 5
    consecutive_gateway_errors: int = 0
    consecutive_local_origin_failures: int = 0
    split_external_local_origin_errors: bool = False
    interval: float = 10.0
    base_ejection_time: float = 30.0
    max_ejection_percent: int = 10
    min_health_percent: int = 0


_LEAST = 1e-9  # an endpoint's turn comes, however late


@dataclass(frozen=True, slots=True)
class Warmup:
    """How a new endpoint's weight grows (Envoy's slow start). `window` in seconds, `minimum` a fraction."""

    window: float
    minimum: float = 0.1
    aggression: float = 1.0

    def factor(self, age: float) -> float:
        """Return the share of its weight that an endpoint counts with, so many seconds after it has joined."""
        if age >= self.window:
            return 1.0
        passed = max(age, 0.001) / self.window
        return float(max(self.minimum, _LEAST, passed if self.aggression == 1 else passed ** (1 / self.aggression)))


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """The endpoints behind one host, port and subset, and the policy for using them (DestinationRule, merged)."""

    name: str  # `host:port` or `host:port/subset`; the key of the gateway's state for it, and x-chaos-destination
    endpoints: tuple[Endpoint, ...]
    balancing: Balancing = Balancing.LEAST_REQUEST
    breakers: CircuitBreakers = CircuitBreakers()
    outlier_detection: OutlierDetection | None = None
    connect_timeout: float = 10.0
    warmup: Warmup | None = None


DELAY_INJECTED, RETRY_LIMIT_EXCEEDED, RETRY_OVERFLOW = b"DI,", b"URX,", b"UO,"
"""Values for Request.flags: a fault has delayed it; it would be retried, but was as often as it may be; it would be
retried, but the cluster has as many retries at a time as it may have."""


class Failure(Enum):
    """Why an attempt got no response; the value is Envoy's reset reason."""

    CONNECT = "remote connection failure"  # the connection could not be made (UF)
    RESET = "connection termination"  # RST or FIN before a response (UC)
    PER_TRY_TIMEOUT = "per try timeout"
    OVERFLOW = "overflow"  # circuit breaker (UO), never retried

    @property
    def flag(self) -> str:
        """Envoy's response flag, as access logs show it (%RESPONSE_FLAGS%)."""
        return _FLAGS[self]


_FLAGS = {Failure.CONNECT: "UF", Failure.RESET: "UC", Failure.PER_TRY_TIMEOUT: "UT", Failure.OVERFLOW: "UO"}


@dataclass(frozen=True, slots=True, eq=False)
class RetryPolicy:
    """When a request is retried.

    `attempts` counts retries after the first attempt. `retry_on(outcome, response headers, request sent)` returns
    whether this outcome (an HTTP status or a Failure) is retried. Times in seconds."""

    attempts: int
    retry_on: Callable[[int | Failure, Headers, bool], bool]
    per_try_timeout: float | None = None
    backoff_base: float = 0.025
    avoid_previous_hosts: bool = True
    description: str = ""

    def backoff(self, retry: int, draw: float) -> float:
        """Return the seconds before the n-th retry (from 1): uniform in [0, base * 2^(n-1)), at most 10 * base
        (Envoy)."""
        return float(draw * min(self.backoff_base * 2 ** (retry - 1), 10 * self.backoff_base))


# --------------------------------------------------------------------------------------------- actions


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """A complete local reply: every header but `date`, in order, content-length included; to HEAD the body is not sent.

    `closes`: the connection is closed after it."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""
    closes: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Abort:
    reply: Reply


@dataclass(frozen=True, slots=True, eq=False)
class Redirect:
    reply: Reply


@dataclass(frozen=True, slots=True, eq=False)
class DirectResponse:
    reply: Reply


@dataclass(frozen=True, slots=True, eq=False)
class Preflight:
    """A CORS preflight answered by the proxy."""

    reply: Reply


@dataclass(frozen=True, slots=True, eq=False)
class NoRoute:
    """No virtual host or no route: 404, empty."""

    reply: Reply


@dataclass(frozen=True, slots=True, eq=False)
class BadRequest:
    """A target that path normalisation refuses (`#`, `%00`): 400, empty."""

    reply: Reply


PENDING_TIME = b"\0ms"  # placeholder in a header for the milliseconds that upstream took, until they are known


class Headwork(Protocol):
    """The compiled header operations of one rule and destination, shared by its requests.

    `service_time_by_rule`: the rule itself changes x-envoy-upstream-service-time. The downstream headers then hold its
    result, with PENDING_TIME for the proxy's own value. `answers_alike`: downstream headers depend on upstream's
    response alone, not on the request."""

    service_time_by_rule: bool
    answers_alike: bool

    def upstream_headers(self, request: Request, forward: Forward) -> Headers:
        """Return all headers for upstream in order, `host` included: hop-by-hop ones dropped, the proxy's own added,
        the rule's operations applied.

        Content-length and transfer-encoding are among them as received, unless `connection` names them; the gateway
        writes its own instead, and adds `x-envoy-attempt-count`."""
        ...

    def downstream_headers(self, request: Request, status: int, headers: Headers) -> Headers:
        """Return upstream's response headers for the client; the gateway adds `date` and
        `x-envoy-upstream-service-time`."""
        ...

    def local_reply(self, request: Request, status: int, body: bytes, details: bytes = b"") -> Reply:
        """Return the router's own reply (503 NC/UH/UF/UC/UO, 504 UT) with the rule's response operations, CORS, and
        gRPC's form. `details` are Envoy's where the body does not tell them."""
        ...


@dataclass(slots=True, eq=False)  # made for each request: freezing would triple the cost
class Forward:
    """Send the request upstream. A `cluster` of None is an unknown service, port or subset (503, empty, NC); one
    without endpoints is 503 UH.

    `target` is the path and query for upstream, `authority` the Host. `mirrors` are the clusters whose draw came up.
    `hash_keys` together choose the endpoint where the cluster is balanced by consistent hash; without any it is chosen
    at random."""

    cluster: Cluster | None
    target: bytes
    authority: bytes
    headwork: Headwork
    timeout: float | None = None
    retry: RetryPolicy | None = None
    mirrors: tuple[Cluster, ...] = ()
    original_path: bytes | None = None
    original_host: bytes | None = None
    hash_keys: tuple[HashKey, ...] = ()


Action = Forward | Abort | Redirect | DirectResponse | Preflight | NoRoute | BadRequest


@dataclass(slots=True, eq=False)
class Decision:
    """What happens to one request: wait `delay` seconds (0.0 for no delay), then act. `rule` is None without a
    route. `fault` is the tag of the faults drawn, as x-chaos-fault and all counts name them (`delay,abort`); empty for
    none."""

    action: Action
    rule: Rule | None = None
    delay: float = 0.0
    fault: str = ""

    @property
    def status(self) -> int | None:
        """The HTTP status of an answer made here (abort, redirect, direct response, 404 ...); None when the request is
        sent upstream."""
        return None if isinstance(self.action, Forward) else self.action.reply.status

    @property
    def destination(self) -> str:
        """Where the request is sent, as `host:port` or `host:port/subset`; empty when it is answered here, or when the
        rules name a destination that nobody knows (503)."""
        cluster = self.action.cluster if isinstance(self.action, Forward) else None
        return cluster.name if cluster is not None else ""
