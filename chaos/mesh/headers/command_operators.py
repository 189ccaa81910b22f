"""Envoy's command operators in header values (`%REQ(x-user)%`), compiled once.

Only operators whose value needs neither a clock nor a connection are supported; the others are reported when the rules
are compiled and give the empty text, as Envoy's do without a value. Source: Envoy docs,
access_log/usage#command-operators; source/common/formatter/substitution_format_utility.cc."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from chaos.mesh.decision import Headers
from chaos.mesh.headers.names import value_of


@dataclass(slots=True)
class Exchange:
    """What an operator may read: the request and, on the way back, the response, as they are at that moment."""

    method: bytes
    path: bytes  # with the query
    authority: bytes
    scheme: bytes
    headers: Headers
    remote: bytes
    request_id: bytes
    cluster: bytes = b""
    status: bytes = b""  # :status of the response
    response: Headers | None = None
    code: int = 0  # upstream's status; 0 for local replies, as in Envoy when it evaluates headers
    flags: bytes = b"-"
    details: bytes = b""


Part = Callable[[Exchange], bytes]
ORIGINAL_PATH = b"x-envoy-original-path"

_COMMAND = re.compile(r"%(?P<percent>%)|%(?P<name>[A-Z_0-9]+)(?:\((?P<argument>[^()]*)\))?(?::(?P<length>[0-9]+))?%")

_PLAIN: dict[str, Part] = {
    "PROTOCOL": lambda exchange: b"HTTP/1.1",
    "RESPONSE_CODE": lambda exchange: b"%d" % exchange.code,
    "RESPONSE_CODE_DETAILS": lambda exchange: exchange.details,
    "RESPONSE_FLAGS": lambda exchange: exchange.flags,
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": lambda exchange: exchange.remote,
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": lambda exchange: exchange.remote,
    "UPSTREAM_CLUSTER": lambda exchange: exchange.cluster,
    "STREAM_ID": lambda exchange: exchange.request_id,
    "BYTES_RECEIVED": lambda exchange: b"0",
    "REQUESTED_SERVER_NAME": lambda exchange: b"",
    "UPSTREAM_TRANSPORT_FAILURE_REASON": lambda exchange: b"",
}


class UnsupportedCommand(ValueError):  # noqa: N818 - named for what was found
    """A command operator without a value here; the message names it."""


def compile_format(text: str, constants: dict[str, bytes] | None = None) -> bytes | Part:
    """Return the value if it is the same for all requests, else a function from the exchange to the value.

    `constants` are the operators that are fixed for the whole rule (ROUTE_NAME, DOWNSTREAM_LOCAL_PORT). Raises
    UnsupportedCommand."""
    parts: list[bytes | Part] = []
    end = 0
    for found in _COMMAND.finditer(text):
        parts.append(text[end : found.start()].encode())
        parts.append(b"%" if found["percent"] else _command(found, constants or {}))
        end = found.end()
    parts.append(text[end:].encode())
    if all(isinstance(part, bytes) for part in parts):
        return b"".join(part for part in parts if isinstance(part, bytes))
    return _joined([part for part in parts if part != b""])


def _joined(parts: list[bytes | Part]) -> Part:
    if len(parts) == 1 and not isinstance(parts[0], bytes):
        return parts[0]

    def value(exchange: Exchange) -> bytes:
        return b"".join([part if isinstance(part, bytes) else part(exchange) for part in parts])

    return value


def _command(found: re.Match[str], constants: dict[str, bytes]) -> bytes | Part:
    name, argument = found["name"], found["argument"]
    part = constants[name] if name in constants else _PLAIN.get(name) or _with_argument(name, argument or "")
    if part is None:
        raise UnsupportedCommand(f"%{name}% has no value here")
    return _truncated(part, int(found["length"])) if found["length"] else part


def _truncated(part: bytes | Part, length: int) -> bytes | Part:
    if isinstance(part, bytes):
        return part[:length]
    return lambda exchange: part(exchange)[:length]


def _with_argument(name: str, argument: str) -> Part | None:
    if name == "REQ":
        return _alternatives([_request_header(header) for header in argument.split("?")])
    if name == "RESP":
        return _alternatives([_response_header(header) for header in argument.split("?")])
    if name == "TRAILER":
        return lambda exchange: b""
    if name == "PATH":
        return _path(argument)
    if name == "QUERY_PARAM":
        return _query_parameter(argument.encode())
    return None


Lookup = Callable[[Exchange], bytes | None]


def _alternatives(lookups: list[Lookup]) -> Part:
    """Return the value of `X?Y`: the first header that is present; empty when none is."""
    first = lookups[0]
    if len(lookups) == 1:
        return lambda exchange: first(exchange) or b""

    def value(exchange: Exchange) -> bytes:
        for lookup in lookups:
            if (found := lookup(exchange)) is not None:
                return found
        return b""

    return value


def _request_header(header: str) -> Lookup:
    name = header.strip().lower().encode()
    match name:
        case b":path":
            return lambda exchange: exchange.path
        case b":authority" | b"host":
            return lambda exchange: exchange.authority
        case b":method":
            return lambda exchange: exchange.method
        case b":scheme":
            return lambda exchange: exchange.scheme
    return lambda exchange: value_of(exchange.headers, name)


def _response_header(header: str) -> Lookup:
    name = header.strip().lower().encode()
    if name == b":status":
        return lambda exchange: exchange.status
    return lambda exchange: next((value for key, value in exchange.response or () if key == name), None)


def _path(argument: str) -> Part:
    """Return the path with the query (`WQ`) or without (`NQ`): as the client sent it (`ORIG`, only if it was changed),
    as it is now (`PATH`), or the former if there is one (`ORIG_OR_PATH`, the default)."""
    query, _, which = argument.partition(":")
    whole = {"PATH": _current_path, "ORIG": _original_path}.get(which, _first_path)
    if query == "NQ":
        return lambda exchange: whole(exchange).partition(b"?")[0]
    return whole


def _current_path(exchange: Exchange) -> bytes:
    return exchange.path


def _original_path(exchange: Exchange) -> bytes:
    """Return x-envoy-original-path, which rewrites set; a sidecar passes on a client's own, too."""
    return value_of(exchange.headers, ORIGINAL_PATH) or b""


def _first_path(exchange: Exchange) -> bytes:
    return _original_path(exchange) or exchange.path


def _query_parameter(name: bytes) -> Part:
    def value(exchange: Exchange) -> bytes:
        for pair in exchange.path.partition(b"?")[2].split(b"&"):
            key, _, text = pair.partition(b"=")
            if key == name:
                return text
        return b""

    return value
