"""The status of a response as one number: that of HTTP, or 1000 and more for that of a gRPC call.

A gRPC call that has failed is, to HTTP, a 200: its status is in a header or trailer of its own, `grpc-status`. Whoever
counts, compares or shows statuses gets the one that the client acts on, and can never take the one kind for the other.
Source: google.rpc.Code."""

from __future__ import annotations

CODES = {
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
"""gRPC's statuses by name."""

FAILURE = 400
"""From this status on a user's HTTP request has failed; so has one without a response, and a call that is not OK."""

GRPC = 1000
"""What is added to a gRPC status. `GRPC` itself is OK."""

MOST = GRPC + 999

_NAMES = {code: name for name, code in CODES.items()}
_FROM_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}


def of_grpc(code: int) -> int:
    """Return the number for a gRPC status."""
    return GRPC + code


def of_grpc_name(name: str) -> int | None:
    """Return the number for a gRPC status by its name, `UNAVAILABLE`; None for what is none."""
    code = CODES.get(name)
    return None if code is None else of_grpc(code)


def is_grpc(status: int) -> bool:
    """Return whether it is the status of a gRPC call."""
    return status >= GRPC


def grpc_from_http(status: int) -> int:
    """Return the gRPC status (as gRPC has it) that a client takes from an HTTP status alone, and that Envoy gives a
    local reply (httpToGrpcStatus); UNKNOWN for 200 and everything unlisted."""
    return _FROM_HTTP.get(status, CODES["UNKNOWN"])


def as_met(status: int, grpc: bool) -> int:
    """Return what a client of gRPC, or one of HTTP, gets as the status that the other kind of client gets: an abort
    with 503 is UNAVAILABLE, one with a gRPC status is 200 to HTTP. A status of its own kind stays."""
    if grpc == is_grpc(status):
        return status
    return of_grpc(grpc_from_http(status)) if grpc else 200


def is_met(wanted: int, found: int) -> bool:
    """Return whether a client that found this status has met the wanted one, whichever kind of client it is."""
    return found == as_met(wanted, is_grpc(found))


def failed(status: int) -> bool:
    """Return whether a user's request with this status (0: no response) has failed."""
    return status == 0 or (status >= FAILURE and status != GRPC)


def shown(status: int) -> str:
    """Return a status as readers know it: `503`, `gRPC UNAVAILABLE`."""
    if not is_grpc(status):
        return str(status)
    code = status - GRPC
    return f"gRPC {_NAMES.get(code, code)}"
