"""Responses that Envoy makes itself: aborts, redirects, direct responses, 404s and the router's failures.

The order is that of Envoy's Utility::prepareLocalReply: the rule's response operations see the bare headers; then gRPC
clients get their form; then content-length and content-type follow from the body; `server` comes last and cannot be
changed. `date` is the gateway's, unless a rule sets it."""

from __future__ import annotations

from collections.abc import Callable

from chaos.mesh.decision import Headers, Reply, Request
from chaos.mesh.headers.command_operators import Exchange
from chaos.mesh.headers.grpc import encode_message, is_grpc
from chaos.mesh.headers.operations import Level
from chaos.statuses import grpc_from_http

TEXT = b"text/plain"
_GRPC = b"application/grpc"
_WITHOUT_LENGTH = (204, 304)
_BAD_REQUEST = 400  # Envoy closes an HTTP/1 connection after any local reply of this status (sendLocalReply)
Seen = Callable[[Request, int, Headers], Exchange]


def render(
    status: int, body: bytes, headers: Headers, server: bytes, *, grpc: bool = False, grpc_status: int | None = None
) -> Reply:
    """Return the complete reply; `headers` are those that the rule left, and the ones about the body are corrected."""
    headers = [pair for pair in headers if pair[0] not in (b"content-length", b"server")]
    if grpc:
        return _grpc_reply(status, body, headers, server, grpc_status)
    if not body:
        headers = [pair for pair in headers if pair[0] != b"content-type"]
    elif not any(name == b"content-type" for name, _ in headers):
        headers.append((b"content-type", TEXT))
    if body or status not in _WITHOUT_LENGTH:
        headers.append((b"content-length", b"%d" % len(body)))
    headers.append((b"server", server))
    return Reply(status, tuple(headers), body, closes=status == _BAD_REQUEST)


def _grpc_reply(status: int, body: bytes, headers: Headers, server: bytes, grpc_status: int | None) -> Reply:
    headers = [pair for pair in headers if pair[0] != b"content-type"]
    headers.append((b"content-type", _GRPC))
    if not any(name == b"grpc-status" for name, _ in headers):
        code = grpc_from_http(status) if grpc_status is None else grpc_status
        headers.append((b"grpc-status", b"%d" % code))
    if body:
        headers.append((b"grpc-message", encode_message(body)))
    headers += [(b"content-length", b"0"), (b"server", server)]
    return Reply(200, tuple(headers), b"", closes=status == _BAD_REQUEST)


class ReplyMaker:
    """Makes a reply that is the same for all requests except for gRPC's form and computed header values; it is made
    once where possible."""

    __slots__ = (
        "_body",
        "_dynamic",
        "_grpc",
        "_grpc_status",
        "_headers",
        "_levels",
        "_plain",
        "_seen",
        "_server",
        "_status",
    )

    def __init__(
        self,
        status: int,
        body: bytes,
        *,
        server: bytes,
        levels: tuple[Level, ...] = (),
        seen: Seen | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        grpc_status: int | None = None,
    ):
        self._status, self._body, self._server, self._grpc_status = status, body, server, grpc_status
        self._levels, self._seen, self._headers = levels, seen, headers
        self._dynamic = not all(level.is_static for level in levels)
        self._plain: Reply | None = None
        self._grpc: Reply | None = None
        if not self._dynamic:
            left = operated(list(headers), levels, _unseen)
            self._plain = render(status, body, left, server)
            self._grpc = render(status, body, left, server, grpc=True, grpc_status=grpc_status)

    @property
    def is_static(self) -> bool:
        """Whether no header value has to be computed."""
        return not self._dynamic

    def __call__(self, request: Request) -> Reply:
        grpc = is_grpc(request)
        made = self._grpc if grpc else self._plain
        return made or self._make(request, grpc)

    def _make(self, request: Request, grpc: bool) -> Reply:
        seen = self._seen
        assert seen is not None
        left = operated(list(self._headers), self._levels, lambda headers: seen(request, self._status, headers))
        return render(self._status, self._body, left, self._server, grpc=grpc, grpc_status=self._grpc_status)


def operated(headers: Headers, levels: tuple[Level, ...], exchange: Callable[[Headers], Exchange]) -> Headers:
    """Return the headers after all levels of operations."""
    for level in levels:
        headers = level.apply(headers, exchange)
    return headers


def _unseen(headers: Headers) -> Exchange:
    raise AssertionError("static operations look at nothing")
