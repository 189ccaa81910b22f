"""VirtualService as written: routing rules for HTTP, TLS and TCP traffic to a set of hosts."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Literal

from pydantic import AliasChoices, Field

from chaos.faults import FaultKind
from chaos.mesh.model.message import Destination, Duration, Flag, Int32, Message, Percent, StringMatch, Text, UInt32

Octets = bytes  # HTTPBody has a field of that name


class Delegate(Message):
    """Another VirtualService, one without hosts, whose HTTP routes take over here."""

    name: Text = ""
    """Name of the delegate VirtualService."""
    namespace: Text = ""
    """Its namespace; the root's own when absent."""


class HeaderOperations(Message):
    """Changes to headers. Removing comes first, then setting, then adding."""

    set: dict[str, Text] = {}
    """Overwrite these headers with these values."""
    add: dict[str, Text] = {}
    """Append a further line for each of these headers."""
    remove: tuple[Text, ...] = ()
    """Remove these headers."""


class Headers(Message):
    """Header changes on the way to the service and on the way back."""

    request: HeaderOperations | None = None
    """Before the request is sent to the destination."""
    response: HeaderOperations | None = None
    """Before the response is returned to the caller."""


class HTTPMatchRequest(Message):
    """Conditions on a request; all of them must hold."""

    name: Text = ""
    """A name for this entry, shown in logs."""
    uri: StringMatch | None = None
    """The path without its query."""
    scheme: StringMatch | None = None
    """http or https."""
    method: StringMatch | None = None
    """The HTTP method, case-sensitive."""
    authority: StringMatch | None = None
    """The Host header as received, case-sensitive."""
    headers: dict[str, StringMatch] = {}
    """Headers by name (not case-sensitive); `{}` asks only that the header is present."""
    port: UInt32 = 0
    """The port the proxy listens on (not the port in the Host header)."""
    source_labels: dict[str, Text] = {}
    """Labels of the client's workload."""
    gateways: tuple[Text, ...] = ()
    """Gateways this entry applies to; replaces the VirtualService's own list."""
    query_params: dict[str, StringMatch] = {}
    """Query parameters, case-sensitive and not decoded."""
    ignore_uri_case: Flag = False
    """Compare exact and prefix of uri without regard to case; no effect on a regex."""
    without_headers: dict[str, StringMatch] = {}
    """Headers that must not match."""
    source_namespace: Text = ""
    """Namespace of the client's workload."""
    stat_prefix: Text = ""
    """A prefix for Envoy's statistics of this route."""


class HTTPRouteDestination(Message):
    """One of the destinations of a rule, with its share of the requests."""

    destination: Destination
    """Where the requests go."""
    weight: Int32 = 0
    """Share among the destinations of the rule: weight / sum of weights. Absent is 0."""
    headers: Headers | None = None
    """Header changes for this destination alone."""


REDIRECT_CODES = (301, 302, 303, 307, 308)
"""All redirects that Envoy has."""


class HTTPRedirect(Message):
    """Answer with a redirect; nothing is sent upstream."""

    uri: Text = ""
    """Replaces the path (and query) in the location."""
    authority: Text = ""
    """Replaces the host in the location."""
    port: UInt32 | None = None
    """Replaces the port in the location."""
    derive_port: Literal["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"] | None = None
    """Takes the port from the protocol or from the request."""
    scheme: Text = ""
    """http or https."""
    redirect_code: UInt32 = 0
    """Status of the response; 301 when absent."""
    prefix_rewrite: Text = ""
    """Replaces the matched prefix of the path."""


class HTTPBody(Message):
    """Body of a direct response: exactly one of `string` and `bytes`."""

    string: Text | None = None
    """As text."""
    bytes: Text | None = None
    """As base64."""

    @property
    def octets(self) -> Octets:
        """The body as it is sent; empty when the base64 is malformed."""
        if self.bytes is None:
            return (self.string or "").encode("utf-8", "surrogatepass")
        try:
            return base64.b64decode(self.bytes)
        except ValueError:
            return b""


class HTTPDirectResponse(Message):
    """Answer at once, without an upstream."""

    status: UInt32
    """Status of the response, 200..599."""
    body: HTTPBody | None = None
    """Body of the response; empty when absent."""


class RegexRewrite(Message):
    """Replace what a regex matches in the path."""

    match: Text = ""
    """RE2 syntax; every part of the path that matches is replaced."""
    rewrite: Text = ""
    """The replacement; \\1 stands for the first group."""


class HTTPRewrite(Message):
    """Change the path or Host before the request is sent upstream."""

    uri: Text = ""
    """Replaces the path, or the matched prefix of it."""
    authority: Text = ""
    """Replaces the Host header."""
    uri_regex_rewrite: RegexRewrite | None = None
    """Replaces what a regex matches in the path."""


class HTTPRetry(Message):
    """Retry requests that fail."""

    attempts: Int32 = 0
    """Retries after the first attempt."""
    per_try_timeout: Duration | None = None
    """Time for each attempt until its response headers."""
    retry_on: Text = ""
    """Which failures are retried, separated by commas without spaces: 5xx,reset,503."""
    retry_remote_localities: Flag | None = None
    """Whether retries may go to other localities."""
    retry_ignore_previous_hosts: Flag | None = None
    """Whether retries avoid the endpoints of earlier attempts; true when absent."""
    backoff: Duration | None = None
    """Base of the pause before a retry; 25ms when absent."""


class CorsPolicy(Message):
    """Cross-origin resource sharing, answered by the proxy."""

    allow_origin: tuple[Text, ...] = ()
    """Deprecated: origins, compared exactly. Use allowOrigins."""
    allow_origins: tuple[StringMatch, ...] = ()
    """Origins that may call."""
    allow_methods: tuple[Text, ...] = ()
    """access-control-allow-methods."""
    allow_headers: tuple[Text, ...] = ()
    """access-control-allow-headers."""
    expose_headers: tuple[Text, ...] = ()
    """access-control-expose-headers."""
    max_age: Duration | None = None
    """access-control-max-age, in whole seconds."""
    allow_credentials: Flag | None = None
    """access-control-allow-credentials."""
    unmatched_preflights: Literal["UNSPECIFIED", "FORWARD", "IGNORE"] = "UNSPECIFIED"
    """What happens to a preflight whose origin is not allowed; FORWARD when absent."""


class Delay(Message):
    """Wait before the request is handled."""

    percent: Int32 = 0
    """Deprecated: use percentage."""
    fixed_delay: Duration | None = None
    """How long to wait: 5s, 100ms."""
    exponential_delay: Duration | None = None
    """Not implemented by Istio, refused."""
    percentage: Percent | None = None
    """Share of the requests that are delayed; none when absent."""


class Abort(Message):
    """Answer with an error; nothing is sent upstream."""

    http_status: Int32 | None = None
    """Status of the response, 200..599."""
    grpc_status: Text | None = None
    """gRPC status by name: UNAVAILABLE, NOT_FOUND."""
    http2_error: Text | None = None
    """Not implemented by Istio, refused."""
    percentage: Percent | None = None
    """Share of the requests that are aborted; none when absent."""


class HTTPFaultInjection(Message):
    """Faults for a share of the requests. Delay and abort are drawn independently."""

    delay: Delay | None = None
    """Make requests late."""
    abort: Abort | None = None
    """Refuse requests."""

    def given(self) -> Iterator[tuple[FaultKind, Delay | Abort]]:
        """Yield the faults that are written, each with its kind."""
        for kind in FaultKind:
            part = getattr(self, kind)
            if part is not None:
                yield kind, part


class HTTPMirrorPolicy(Message):
    """Send a copy of a share of the requests to another destination."""

    destination: Destination
    """Where the copies go."""
    percentage: Percent | None = None
    """Share of the requests that are copied; all when absent."""


class HTTPRoute(Message):
    """One rule: the requests it takes, and what happens to them. The first rule that matches wins."""

    name: Text = ""
    """A name for the rule, shown in logs and reports."""
    match: tuple[HTTPMatchRequest, ...] = ()
    """The rule takes a request when any of these matches; without entries it takes all."""
    route: tuple[HTTPRouteDestination, ...] = ()
    """Destinations, with weights when there are several."""
    redirect: HTTPRedirect | None = None
    """Answer with a redirect."""
    direct_response: HTTPDirectResponse | None = None
    """Answer with a fixed status and body."""
    delegate: Delegate | None = None
    """Let another VirtualService decide."""
    rewrite: HTTPRewrite | None = None
    """Change path and Host before forwarding."""
    timeout: Duration | None = None
    """Time for the whole response, all attempts included; unlimited when absent."""
    retries: HTTPRetry | None = None
    """Which requests are retried, and how often."""
    fault: HTTPFaultInjection | None = None
    """Faults for requests that this rule takes."""
    mirror: Destination | None = None
    """Where a copy of each request goes."""
    mirrors: tuple[HTTPMirrorPolicy, ...] = ()
    """Several mirrors, each with its own share."""
    mirror_percent: UInt32 | None = Field(None, validation_alias=AliasChoices("mirrorPercent", "mirror_percent"))
    """Deprecated: use mirrorPercentage."""
    mirror_percentage: Percent | None = None
    """Share of the requests that are copied to `mirror`; all when absent."""
    cors_policy: CorsPolicy | None = None
    """Cross-origin resource sharing."""
    headers: Headers | None = None
    """Header changes for all destinations of the rule."""


class RouteDestination(Message):
    """One of the destinations of a TLS or TCP route."""

    destination: Destination
    """Where the connections go."""
    weight: Int32 = 0
    """Share among the destinations of the route."""


class TLSMatchAttributes(Message):
    """Conditions on a TLS connection."""

    sni_hosts: tuple[Text, ...]
    """Server names (SNI); wildcards like *.example.com are allowed."""
    destination_subnets: tuple[Text, ...] = ()
    """Addresses or CIDR ranges of the destination."""
    port: UInt32 = 0
    """The port the proxy listens on."""
    source_labels: dict[str, Text] = {}
    """Labels of the client's workload."""
    gateways: tuple[Text, ...] = ()
    """Gateways this entry applies to."""
    source_namespace: Text = ""
    """Namespace of the client's workload."""


class TLSRoute(Message):
    """A rule for TLS connections that are passed through."""

    match: tuple[TLSMatchAttributes, ...]
    """The rule takes a connection when any of these matches."""
    route: tuple[RouteDestination, ...] = ()
    """Destinations, with weights when there are several."""


class L4MatchAttributes(Message):
    """Conditions on a TCP connection."""

    destination_subnets: tuple[Text, ...] = ()
    """Addresses or CIDR ranges of the destination."""
    port: UInt32 = 0
    """The port the proxy listens on."""
    source_subnet: Text = ""
    """No effect in Istio."""
    source_labels: dict[str, Text] = {}
    """Labels of the client's workload."""
    gateways: tuple[Text, ...] = ()
    """Gateways this entry applies to."""
    source_namespace: Text = ""
    """Namespace of the client's workload."""


class TCPRoute(Message):
    """A rule for TCP connections."""

    match: tuple[L4MatchAttributes, ...] = ()
    """The rule takes a connection when any of these matches; without entries it takes all."""
    route: tuple[RouteDestination, ...] = ()
    """Destinations, with weights when there are several."""


class VirtualService(Message):
    """Routing rules for a set of hosts."""

    hosts: tuple[Text, ...] = ()
    """The hosts callers use. A name without a dot belongs to the namespace of this resource."""
    gateways: tuple[Text, ...] = ()
    """Gateways these rules apply to, `name` or `namespace/name`; `mesh` (the default) is every sidecar."""
    http: tuple[HTTPRoute, ...] = ()
    """Rules for HTTP, in order: the first that matches wins."""
    tls: tuple[TLSRoute, ...] = ()
    """Rules for TLS that is passed through."""
    tcp: tuple[TCPRoute, ...] = ()
    """Rules for TCP."""
    export_to: tuple[Text, ...] = ()
    """Namespaces that see these rules: `.` this one, `*` all (the default)."""
