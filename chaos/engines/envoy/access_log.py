"""Envoy's access log as the engine reads it: a line when a request starts, and one when it has ended; the same of
connections.

Sources: AccessLogType, HttpConnectionManager.HcmAccessLogOptions, and the command operators of access logs in Envoy's
documentation. Both lines go to Envoy's stdout. The second one is the only account of what was drawn."""

from __future__ import annotations

import json
from dataclasses import dataclass

from chaos.engines.envoy.bootstrap import Message, typed
from chaos.mesh.headers.grpc import is_grpc_type
from chaos.statuses import of_grpc

_END = {
    "id": "%STREAM_ID%",
    "route": "%ROUTE_NAME%",
    "flags": "%RESPONSE_FLAGS%",
    "status": "%RESPONSE_CODE%",
    "grpc": "%GRPC_STATUS_NUMBER%",
    "type": "%REQ(CONTENT-TYPE)%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "cluster": "%UPSTREAM_CLUSTER_RAW%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
}

# The authority is that of the start, because a route may rewrite it later. An id may hold spaces, so it comes last.
_START = "S %REQ(:AUTHORITY)% %STREAM_ID%\n"

LOGS: Message = {
    "access_log_options": {"flush_access_log_on_new_request": True},
    "access_log": [
        {
            "name": "started",
            "filter": {"log_type_filter": {"types": ["DownstreamStart"]}},
            "typed_config": typed(
                "extensions.access_loggers.stream.v3.StdoutAccessLog",
                log_format={"text_format_source": {"inline_string": _START}},
            ),
        },
        {
            "name": "ended",
            "filter": {"log_type_filter": {"types": ["DownstreamEnd"]}},
            "typed_config": typed(
                "extensions.access_loggers.stream.v3.StdoutAccessLog", log_format={"json_format": _END}
            ),
        },
    ],
}
"""Fields of the HTTP connection manager that make it write both lines."""


def connection_log(rule: str) -> Message:
    """Return the fields of the TCP proxy that make it write a line when a connection has reached its destination, and
    one when it is over; `rule` names the route in both."""
    line = f"C {rule} %CONNECTION_ID% %ACCESS_LOG_TYPE% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER_RAW%\n"
    return {
        "access_log_options": {"flush_access_log_on_connected": True},
        "access_log": [
            {
                "name": "connection",
                "typed_config": typed(
                    "extensions.access_loggers.stream.v3.StdoutAccessLog",
                    log_format={"text_format_source": {"inline_string": line}},
                ),
            }
        ],
    }


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that has reached its destination, or is over. `rule` is what the log calls its route, `cluster` is
    None without one."""

    id: str
    rule: str
    over: bool
    flags: frozenset[str]
    cluster: str | None


@dataclass(frozen=True, slots=True)
class Started:
    """A request that has just arrived; nothing has been drawn for it."""

    id: str
    authority: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A request that is over. `flags` are Envoy's response flags, `details` its word for how the response came about,
    `cluster` is None for what is not forwarded, `time` the milliseconds that upstream took, None without an answer from
    there. `status` is 0 if the client left before its response; that of a gRPC call is its own (chaos/statuses.py)."""

    id: str
    route: str
    flags: frozenset[str]
    status: int
    details: str
    attempts: int
    cluster: str | None
    method: str
    path: str
    time: float | None

    @property
    def aborted(self) -> bool:
        return "FI" in self.flags

    @property
    def delayed(self) -> bool:
        return "DI" in self.flags

    @property
    def left(self) -> bool:
        """Whether the client left before its response."""
        return self.status == 0


def read_line(line: bytes) -> Started | Ended | Connection | None:
    """Return what a line says; None for one that is not of the log."""
    if line.startswith(b"C "):
        return _connection(line.decode("utf-8", "replace").split())
    if line.startswith(b"S "):
        authority, _, request_id = line[2:].decode("utf-8", "replace").rstrip("\n").partition(" ")
        return Started(request_id, authority)
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return _ended(said) if isinstance(said, dict) and "flags" in said else None


def _connection(words: list[str]) -> Connection | None:
    if len(words) != 6:
        return None
    _, rule, number, kind, flags, cluster = words
    return Connection(
        id=number,
        rule=rule,
        over=kind == "TcpConnectionEnd",
        flags=frozenset(flags.split(",")) - {"-"},
        cluster=None if cluster == "-" else cluster,
    )


def _status(said: Message) -> int:
    """Return the status of a response as its client has it. Envoy gives a gRPC status for responses to HTTP, too."""
    status, grpc = int(said["status"] or 0), said.get("grpc")
    return of_grpc(int(grpc)) if status and grpc is not None and is_grpc_type(said.get("type") or "") else status


def _ended(said: Message) -> Ended:
    time = said["time"]
    return Ended(
        id=said["id"] or "",
        route=said["route"] or "",
        flags=frozenset((said["flags"] or "-").split(",")) - {"-"},
        status=_status(said),
        details=said["details"] or "",
        attempts=said["attempts"] or 0,
        cluster=said["cluster"],
        method=said["method"] or "",
        path=said["path"] or "",
        time=float(time) if time is not None else None,
    )
