"""What Envoy's codec and connection manager refuse in the head of a request, before any rule sees it.

Each check turns the exchange away with Envoy's response; the first reason counts. What concerns the body and the
connection is recorded on the exchange on the way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chaos.gateway.exchange.wire import METHODS
from chaos.mesh.decision import Headers, Request

if TYPE_CHECKING:
    from chaos.gateway.exchange.exchange import Exchange

MAX_HEADERS = 100  # Envoy's defaults (http_connection_manager.proto): more is answered with 431
MAX_HEAD_BYTES = 60 * 1024  # as in BalsaParser, which counts the first line and the empty one, too
MAX_CONNECTION_OPTIONS = 9  # names in `connection` (Envoy's sanitizeConnectionHeader): more is answered with 400
MAX_AUTHORITIES = 10_000  # Hosts remembered as well-formed, so that memory stays bounded

# What `connection` must not take from a request on its way (Envoy's sanitizeConnectionHeader).
_NOT_BY_CONNECTION = frozenset((b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"))

_AUTHORITY = re.compile(rb"[\w.~!$&'()*+,;=:@%\[\]-]*", re.ASCII)
_ABSOLUTE = re.compile(rb"((?i:https?))://(?:[^/?#@]*@)?([^/?#@]+)(.*)", re.DOTALL)


def expect_body(exchange: Exchange, fields: dict[bytes, bytes]) -> None:
    """Expect a body of the announced length, or in chunks; Envoy passes no other transfer coding on (501).

    llhttp has already refused a head with both, and lengths that are no numbers."""
    exchange.framed = True
    encoding = fields.get(b"transfer-encoding")
    if encoding is not None:
        exchange.expect_body(None)
        if encoding.lower() != b"chunked":
            exchange.turn_away(exchange.client.worker.refusals[501])
    elif length := int(fields[b"content-length"]):
        exchange.expect_body(length)


def check_connection(exchange: Exchange, headers: Headers, version: str, keep_alive: bool) -> None:
    """Refuse HTTP versions other than 1.1 (426) and a `connection` header that names too much (400); note whether the
    connection closes after the response."""
    worker = exchange.client.worker
    if version != "1.1":
        exchange.turn_away(worker.refusals[426])
    elif not keep_alive:
        exchange.close = True
    lines = [value for name, value in headers if name == b"connection"]
    options = [option for line in lines for option in map(bytes.strip, line.split(b",")) if option]
    named = frozenset(map(bytes.lower, options))
    if upgrade_of(headers) == b"websocket" and b"upgrade" in named:
        return  # then Envoy does not look at the others
    if len(options) > MAX_CONNECTION_OPTIONS or any(_kept_from_connection(name) for name in named):
        exchange.turn_away(worker.refusals[400])
    elif b"host" in named:
        exchange.turn_away(worker.no_host)
    elif b"x-request-id" in named:
        exchange.request.id = worker.new_id()


def _kept_from_connection(name: bytes) -> bool:
    return name in _NOT_BY_CONNECTION or name[:1] == b":"


def check_size(exchange: Exchange, headers: Headers, target: bytes) -> None:
    """Refuse a head that is too large (431), and two Hosts (400) or transfer-encodings (501): Envoy would join two
    Hosts with a comma, which no rule can mean."""
    size = sum([len(name) + len(value) + len(": \r\n") for name, value in headers])
    size += len(exchange.request.method) + len(target) + len("  HTTP/1.1\r\n\r\n")
    if len(headers) > MAX_HEADERS or size > MAX_HEAD_BYTES:
        exchange.turn_away(exchange.client.worker.refusals[431])
    elif sum(name == b"host" for name, _ in headers) > 1:
        exchange.turn_away(exchange.client.worker.refusals[400])
    elif sum(name == b"transfer-encoding" for name, _ in headers) > 1:
        exchange.turn_away(exchange.client.worker.refusals[501])


def check_form(exchange: Exchange, authority: bytes | None) -> None:
    """Refuse the rarer malformed requests. An authority that is well-formed is remembered."""
    request, worker = exchange.request, exchange.client.worker
    if request.method == b"CONNECT":
        _refuse_connect(exchange)
    elif authority is None:
        exchange.turn_away(worker.no_host)
    elif request.method not in METHODS or not _AUTHORITY.fullmatch(authority) or not _valid_form(request):
        exchange.turn_away(worker.refusals[400])
    elif len(worker.authorities) < MAX_AUTHORITIES:
        worker.authorities.add(authority)


def _refuse_connect(exchange: Exchange) -> None:
    """Refuse CONNECT, which no rule routes (404); with a body it is malformed."""
    if exchange.body is not None:
        exchange.turn_away(exchange.client.worker.refusals[501 if exchange.body.length is None else 400])
    else:
        exchange.turn_away(exchange.client.worker.no_route)


def _valid_form(request: Request) -> bool:
    return request.target[:1] == b"/" or (request.target == b"*" and request.method == b"OPTIONS")


def other_form(target: bytes, authority: bytes | None) -> tuple[bytes, bytes | None, bytes]:
    """Split a target in absolute form into target, authority and scheme (lower case); any other target is returned as
    it is, with the scheme b"".

    The authority replaces Host (RFC 9112 3.2.2) and loses a user's name and password."""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return target, authority, b""
    rest = absolute[3]
    return rest if rest[:1] == b"/" else b"/" + rest, absolute[2], absolute[1].lower()


def upgrade_of(headers: Headers) -> bytes:
    """Return the protocol that the client asks for, in lower case; several lines joined by commas, as Envoy does."""
    return b",".join([value for name, value in headers if name == b"upgrade"]).lower()


def without(connection: bytes, named: set[bytes]) -> bytes:
    """Return a `connection` value without the `named` options (lower case)."""
    return b", ".join(token for token in map(bytes.strip, connection.split(b",")) if token.lower() not in named)
