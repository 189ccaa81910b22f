"""What differs for gRPC: who counts as a gRPC client, and the form of a local reply to one.

Source: Envoy source/common/grpc/common.cc (isGrpcRequestHeaders), percent_encoding."""

from __future__ import annotations

import math
import re

from chaos.mesh.decision import Headers, Request
from chaos.mesh.headers.names import value_of


def is_grpc(request: Request) -> bool:
    """Return whether the content-type is `application/grpc`, alone or followed by `+...`; not `-web`, and without
    parameters."""
    value = (request.fields or request.index()).get(b"content-type")
    if value is None or not value.startswith(b"application/grpc"):
        return False
    return is_grpc_type(value.decode("latin-1")) and value_of(request.headers, b"content-type") == value


def is_grpc_type(value: str) -> bool:
    """Return whether a content-type is that of a gRPC request."""
    return value.startswith("application/grpc") and value[16:17] in ("", "+")


_MOST = 99_999_999
_TIMEOUT = re.compile(rb"(\d{1,8})([HMSmun])")
_UNIT_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def client_timeout(headers: Headers) -> float | None:
    """Return grpc-timeout in seconds, rounded up to whole milliseconds; None when it is absent, malformed or 0."""
    for name, value in headers:
        if name == b"grpc-timeout" and (found := _TIMEOUT.fullmatch(value)):
            milliseconds = int(found[1]) * _UNIT_SECONDS[found[2]] * 1000
            return math.ceil(round(milliseconds, 6)) / 1000 or None
    return None


def timeout_header(milliseconds: int) -> bytes:
    """Return the value of grpc-timeout, in the smallest unit in which it has at most eight digits (Envoy's
    toGrpcTimeout)."""
    if milliseconds <= _MOST:
        return b"%dm" % milliseconds
    seconds = milliseconds // 1000
    for unit in (b"S", b"M"):
        if seconds <= _MOST:
            return b"%d%b" % (seconds, unit)
        seconds //= 60
    return b"%dH" % min(seconds, _MOST)


def limited_timeout(headers: Headers, limit: float | None) -> float | None:
    """Return the timeout for a gRPC client in seconds: the client's own, but at most the route's (max_grpc_timeout,
    which Istio sets to the rule's timeout)."""
    asked = client_timeout(headers)
    if asked is None or limit is None:
        return limit if asked is None else asked
    return min(asked, limit)


def encode_message(text: bytes) -> bytes:
    """Encode a text for grpc-message: printable ASCII stays, `%` and the rest is percent-encoded (gRPC over HTTP/2)."""
    if text.isascii() and b"%" not in text and text.decode().isprintable():
        return text
    return b"".join(bytes((octet,)) if 0x20 <= octet <= 0x7E and octet != 0x25 else b"%%%02X" % octet for octet in text)
