"""Envoy's access log as the engine reads it: a line when a request starts, and one when it has ended; the same of
connections.

Sources: AccessLogType, HttpConnectionManager.HcmAccessLogOptions, and the command operators of access logs in Envoy's
documentation. Both lines go to Envoy's stdout. The second one is the only account of what was drawn."""

from __future__ import annotations

import json
from dataclasses import dataclass

from chaos.engines.envoy.bootstrap import Message, typed
from chaos.samples.envoy_line import FORMAT, STATUS, Ended, ended

_END = {**FORMAT, "request_id": "%STREAM_ID%"}

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


def read_line(line: bytes) -> Started | Ended | Connection | None:
    """Return what a line says; None for one that is not of the log."""
    if line.startswith(b"C "):
        return _connection(line.decode("utf-8", "replace").split())
    if line.startswith(b"S "):
        authority, _, request_id = line[2:].decode("utf-8", "replace").rstrip("\n").partition(" ")
        return Started(request_id, authority)
    try:
        said = json.loads(line)
        return ended(said) if isinstance(said, dict) and STATUS in said else None
    except ValueError:
        return None


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
