"""What gRPC changes: who counts as a gRPC client, and how a local reply looks to one.

Source: Envoy source/common/grpc/common.cc (isGrpcRequestHeaders), status.cc (httpToGrpcStatus), percent_encoding;
google.rpc.Code."""

from __future__ import annotations

from chaos.mesh.decision import Headers

STATUS_CODES = {
    "OK": 0,
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
    "UNAUTHENTICATED": 16,
}

_FROM_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
_UNKNOWN = 2


def status_from_http(status: int) -> int:
    """The grpc-status of a local reply that has an HTTP status; 200 and everything unlisted is UNKNOWN."""
    return _FROM_HTTP.get(status, _UNKNOWN)


def is_grpc(headers: Headers) -> bool:
    """Content-type `application/grpc`, alone or followed by `+...` or by parameters; `application/grpc-web` is not."""
    for name, value in headers:
        if name == b"content-type":
            return value.startswith(b"application/grpc") and value[16:17] in (b"", b"+", b";")
    return False


def encode_message(text: bytes) -> bytes:
    """grpc-message: printable ASCII stays, `%` and the rest is percent-encoded (gRPC over HTTP/2)."""
    if text.isascii() and b"%" not in text and text.decode().isprintable():
        return text
    return b"".join(bytes((octet,)) if 0x20 <= octet <= 0x7E and octet != 0x25 else b"%%%02X" % octet for octet in text)
