"""What the proxy itself adds to a request and strips from it, as a sidecar and as a gateway; and the same for
responses.

Envoy does this on arrival, before routing (ConnectionManagerUtility::mutateRequestHeaders): rules match on the result
and command operators see it. Observed on Envoy 1.40 with Istio's settings for both roles."""

from __future__ import annotations

from chaos.mesh.decision import Headers, Request
from chaos.mesh.headers.names import MERGED_REQUEST, MERGED_RESPONSE, joined, merge, value_of
from chaos.mesh.names import is_address

_WEBSOCKET = b"websocket"
SERVICE_TIME = b"x-envoy-upstream-service-time"  # of this proxy alone

# Headers that switch Envoy's own features, which a client must not do.
_STRIPPED = frozenset(
    b"x-envoy-internal x-envoy-retry-on x-envoy-retry-grpc-on x-envoy-max-retries x-envoy-upstream-rq-timeout-ms "
    b"x-envoy-upstream-rq-per-try-timeout-ms x-envoy-upstream-rq-timeout-alt-response x-envoy-upstream-alt-stat-name "
    b"x-envoy-upstream-stream-duration-ms x-envoy-expected-rq-timeout-ms x-envoy-attempt-count x-envoy-force-trace "
    b"x-envoy-hedge-on-per-try-timeout x-envoy-retriable-status-codes x-envoy-retriable-header-names x-envoy-ip-tags "
    b"x-forwarded-client-cert".split()
)
_STRIPPED_AT_EDGE = _STRIPPED | frozenset(
    b"x-envoy-original-path x-envoy-original-host x-envoy-downstream-service-cluster x-envoy-downstream-service-node "
    b"x-envoy-decorator-operation".split()
)
_ADDED = frozenset((b"x-forwarded-proto", b"x-request-id"))
_ADDED_AT_EDGE = _ADDED | {b"x-forwarded-for", b"x-envoy-external-address"}
_HOP_BY_HOP = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"upgrade", b"te"))
_RESPONSE_HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"upgrade", b"server", SERVICE_TIME)
)


class ProxyHeaders:
    """The header work of one role. `server` is the server header of responses."""

    def __init__(self, *, gateway: bool):
        self.gateway = gateway
        self.server = b"istio-envoy" if gateway else b"envoy"
        self._stripped = _STRIPPED_AT_EDGE if gateway else _STRIPPED
        self._own = _ADDED_AT_EDGE if gateway else _ADDED
        replaced = self._own if gateway else frozenset[bytes]()  # a sidecar keeps the client's
        self._rare = self._stripped | _HOP_BY_HOP | replaced
        self._special = self._rare | {b"host"}

    def changes(self, name: bytes) -> bool:
        """Return whether rules may see another value of this header than the client sent."""
        return name in self._special or name in self._own

    def scheme(self, request: Request) -> bytes:
        """Return :scheme: that of an absolute-form target, else x-forwarded-proto if it is a scheme, else the
        connection's."""
        if request.url_scheme:
            return request.url_scheme
        claimed = self.forwarded_proto(request).lower()
        return claimed if claimed in (b"http", b"https") else request.scheme

    def forwarded_proto(self, request: Request) -> bytes:
        """Return x-forwarded-proto as rules see it: a sidecar keeps the client's, a gateway does not."""
        claimed = None if self.gateway else value_of(request.headers, b"x-forwarded-proto")
        return request.scheme if claimed is None else claimed

    def remote(self, request: Request) -> bytes:
        """Return the client's address; for a sidecar the last one in x-forwarded-for, if that is an address."""
        if not self.gateway:
            chain = value_of(request.headers, b"x-forwarded-for")
            last = (chain or b"").rpartition(b",")[2].strip().decode("latin-1")
            if last and is_address(last):
                return last.encode()
        return request.remote

    def incoming(self, request: Request) -> Headers:
        """Return the request's headers as rules see them, without `host`; a new list."""
        headers = request.headers
        names = request.fields or request.index()
        if len(names) == len(headers) and self._rare.isdisjoint(names):
            host_first = headers and headers[0][0] == b"host"  # as clients send it
            kept = headers[1:] if host_first else [pair for pair in headers if pair[0] != b"host"]
        else:
            kept = self._with_special(headers, [pair for pair in headers if pair[0] not in self._special])
            kept = merge(kept, MERGED_REQUEST)
            names = dict(kept)
        if self.gateway:
            return self._with_edge(request, kept)
        if b"x-forwarded-proto" not in names:
            kept.append((b"x-forwarded-proto", request.scheme))
        if not names.get(b"x-request-id"):
            if b"x-request-id" in names:
                kept = [pair for pair in kept if pair[0] != b"x-request-id"]
            kept.append((b"x-request-id", request.id))
        return kept

    def _with_special(self, headers: Headers, kept: Headers) -> Headers:
        """Add back the special headers that may stay, and remove those that `connection` names."""
        found: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            if name in self._special:
                found.setdefault(name, []).append(value)
        named = {token.strip().lower() for line in found.get(b"connection", ()) for token in line.split(b",")}
        websocket = b",".join(found.get(b"upgrade", ())).lower() == _WEBSOCKET and b"upgrade" in named
        if websocket:  # then Envoy ignores what else `connection` names
            kept += [(name, b",".join(found[name])) for name in (b"connection", b"upgrade")]
        elif named - {b"close", b"keep-alive", b"upgrade"}:
            kept = [pair for pair in kept if pair[0] not in named]
        if any(b"trailers" in value for value in found.get(b"te", ())):
            kept.append((b"te", b"trailers"))
        if b"x-forwarded-for" in found:
            kept.append((b"x-forwarded-for", joined(found[b"x-forwarded-for"])))
        return kept

    def _with_edge(self, request: Request, headers: Headers) -> Headers:
        """Add what a gateway always sets itself; the client is appended to x-forwarded-for."""
        chain = [value for name, value in headers if name == b"x-forwarded-for"]
        others = [pair for pair in headers if pair[0] != b"x-forwarded-for"] if chain else headers
        others += [
            (b"x-forwarded-for", joined([*chain, request.remote])),
            (b"x-forwarded-proto", request.scheme),
            (b"x-envoy-external-address", request.remote),
            (b"x-request-id", request.id),
        ]
        return others

    def outgoing(self, status: int, headers: Headers) -> Headers:
        """Return upstream's response headers as rules see them: without hop-by-hop ones and upstream's `server`."""
        if status == 101:
            kept = [pair for pair in headers if pair[0] != b"server"]
        else:
            kept = [pair for pair in headers if pair[0] not in _RESPONSE_HOP_BY_HOP]
            if len(dict(kept)) < len(kept):
                kept = merge(kept, MERGED_RESPONSE)
        return kept
