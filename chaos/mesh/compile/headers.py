"""The header work of one rule and destination: which headers upstream gets, and which the client gets back.

The order is Envoy's: on arrival, the proxy's own changes (`headers/proxy.py`); before sending, the expected timeout,
the rule's operations, then the rewrite's x-envoy-original headers; on the way back, hop-by-hop headers are dropped,
then come the rule's operations, then CORS. `server` is the proxy's, whatever a rule says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from chaos.mesh.compile.cors import Cors
from chaos.mesh.compile.retry_headers import STRIPPED, obeyed
from chaos.mesh.decision import PENDING_TIME, Forward, Headers, Reply, Request, RetryPolicy
from chaos.mesh.headers.command_operators import ORIGINAL_PATH, Exchange
from chaos.mesh.headers.grpc import is_grpc, timeout_header
from chaos.mesh.headers.local_reply import operated, render
from chaos.mesh.headers.operations import FRAMING, WITHOUT_BODY, Level
from chaos.mesh.headers.proxy import SERVICE_TIME, ProxyHeaders
from chaos.mesh.paths import normalise

_NEVER_BY_RULE = frozenset((b"server", b"connection", b"keep-alive", b"proxy-connection"))  # a rule cannot set them

# Response flags and details of the router's local replies, by their bodies (Envoy's StreamInfo).
_FAILURES = {
    b"": (b"NC", b"cluster_not_found"),
    b"no healthy upstream": (b"UH", b"no_healthy_upstream"),
    b"upstream request timeout": (b"UT", b"response_timeout"),
}
_RESETS = {
    b"overflow": b"UO",
    b"remote connection failure": b"UF",
    b"connection timeout": b"UF",
    b"connection termination": b"UC",
    b"protocol error": b"UPE",
}


@dataclass(slots=True, eq=False)
class RouteHeadwork:
    """Implements `decision.Headwork`.

    `again` makes the Forward of a request a second time, for command operators on the way back, which see the request
    as it was sent upstream."""

    proxy: ProxyHeaders
    request_levels: tuple[Level, ...]
    response_levels: tuple[Level, ...]
    cors: Cors | None
    per_try_timeout: float | None
    cluster: bytes
    again: Callable[[Request], Forward] | None = None
    service_time_by_rule: bool = False
    answers_alike: bool = False
    sets_retries: bool = False  # the rule's headers change what Envoy retries (retry_headers.py)

    def __post_init__(self) -> None:
        self.answers_alike = not self.response_levels and self.cors is None
        self.service_time_by_rule = any(level.touches(SERVICE_TIME) for level in self.response_levels)
        self.sets_retries = any(level.writes(STRIPPED) for level in self.request_levels)

    def upstream_headers(self, request: Request, forward: Forward) -> Headers:
        headers = self.proxy.incoming(request)
        if forward.timeout is not None or self.per_try_timeout is not None:
            headers = self._with_timeout(request, headers, forward.timeout)
        for level in self.request_levels:
            headers = level.apply(headers, lambda kept: self._sent(request, kept))
        if self.sets_retries:
            headers = [pair for pair in headers if pair[0] not in STRIPPED]
        if forward.original_path is not None:
            headers = _replaced(headers, ORIGINAL_PATH, forward.original_path)
        if forward.original_host is not None:
            headers = _replaced(headers, b"x-envoy-original-host", forward.original_host)
        if request.method not in WITHOUT_BODY and FRAMING.isdisjoint(request.index()):
            headers.append((b"content-length", b"0"))
        headers.insert(0, (b"host", forward.authority))
        return headers

    def retry(self, request: Request, policy: RetryPolicy | None) -> RetryPolicy | None:
        """Return the retry policy of a request: the rule's, changed by the retry headers that the rule itself sets."""
        headers: Headers = []
        for level in self.request_levels:
            headers = level.apply(headers, lambda kept: self._sent(request, kept))
        return obeyed(policy, headers)

    def _with_timeout(self, request: Request, headers: Headers, timeout: float | None) -> Headers:
        """Add the time that upstream has: the smaller of timeout and perTryTimeout, for gRPC also as grpc-timeout."""
        expected = round(min(filter(None, (timeout, self.per_try_timeout))) * 1000)
        if is_grpc(request):
            headers = _replaced(headers, b"grpc-timeout", timeout_header(expected))
        headers.append((b"x-envoy-expected-rq-timeout-ms", b"%d" % expected))
        return headers

    def downstream_headers(self, request: Request, status: int, headers: Headers) -> Headers:
        headers = self.proxy.outgoing(status, headers)
        if self.service_time_by_rule:
            headers.append((SERVICE_TIME, PENDING_TIME))
        if self.response_levels:
            headers = operated(headers, self.response_levels, lambda kept: self._answered(request, status, kept))
            headers = [pair for pair in headers if pair[0] not in _NEVER_BY_RULE]
        if self.cors:
            headers = self.cors.answered(request, headers)
        headers.append((b"server", self.proxy.server))
        return headers

    def local_reply(self, request: Request, status: int, body: bytes, details: bytes = b"") -> Reply:
        headers: Headers = []
        if self.response_levels:
            headers = operated(
                [], self.response_levels, lambda kept: self._failed(request, status, body, details, kept)
            )
        reply = render(status, body, headers, self.proxy.server, grpc=is_grpc(request))
        if self.cors:
            left = self.cors.answered(request, list(reply.headers))
            return replace(reply, headers=tuple(left))
        return reply

    def _sent(self, request: Request, headers: Headers) -> Exchange:
        """Return what command operators see before the rewrite."""
        attempt = (b"x-envoy-attempt-count", b"1")
        return see(self.proxy, request, [*headers, attempt], cluster=self.cluster)

    def _answered(self, request: Request, status: int, headers: Headers) -> Exchange:
        seen = self._rewritten(request)
        seen.response, seen.status, seen.code = headers, b"%d" % status, status
        seen.details = b"via_upstream"
        return seen

    def _failed(self, request: Request, status: int, body: bytes, details: bytes, headers: Headers) -> Exchange:
        known = body != b""  # Envoy fails on an unknown cluster before it rewrites anything
        seen = self._rewritten(request) if known else see(self.proxy, request, self.proxy.incoming(request))
        seen.response, seen.status = headers, b"%d" % status
        flag, found = _failure(body)
        seen.flags, seen.details = request.flags + flag, details or found
        return seen

    def _rewritten(self, request: Request) -> Exchange:
        """Return what command operators see on the way back: the request as it was sent upstream."""
        assert self.again is not None
        forward = self.again(request)
        headers = self.upstream_headers(request, forward)[1:]
        headers.append((b"x-envoy-attempt-count", b"1"))
        seen = see(self.proxy, request, headers, cluster=self.cluster)
        seen.path, seen.authority = forward.target, forward.authority
        return seen


def see(
    proxy: ProxyHeaders, request: Request, headers: Headers, *, cluster: bytes = b"", path: bytes = b""
) -> Exchange:
    """Return what command operators may read; `path` is the normalised path, by default computed from the target."""
    return Exchange(
        method=request.method,
        path=path or normalised(request.target),
        authority=request.authority,
        scheme=proxy.scheme(request),
        headers=headers,
        remote=proxy.remote(request),
        request_id=request.id,
        cluster=cluster,
        flags=request.flags[:-1] or b"-",
    )


def normalised(target: bytes) -> bytes:
    path, mark, query = target.partition(b"?")
    return (normalise(path) or path) + mark + query


def _replaced(headers: Headers, name: bytes, value: bytes) -> Headers:
    return [pair for pair in headers if pair[0] != name] + [(name, value)]


def _failure(body: bytes) -> tuple[bytes, bytes]:
    """Return the response flag and details of the router's own reply, whose body says what failed."""
    if body in _FAILURES:
        return _FAILURES[body]
    reason = body.rpartition(b"reset reason: ")[2]
    told = b"remote_connection_failure|delayed_connect_error:_Connection_refused"
    details = told if reason == b"remote connection failure" else reason.replace(b" ", b"_")
    return _RESETS.get(reason, b"-"), b"upstream_reset_before_response_started{%b}" % details
