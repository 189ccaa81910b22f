"""Read Envoy's access log in JSON, with the names of Istio's default format (accessLogEncoding: JSON).

The flags FI and DI say which requests Envoy's fault filter aborted and delayed; `duration` is in whole milliseconds,
until the last byte. The task is the route's name if it has one, else the method and the path. Other lines of a proxy's
log are left out.

Source: pilot/pkg/model/telemetry_logging.go (`EnvoyJSONLogFormatIstio`); Envoy's %RESPONSE_FLAGS%."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chaos.formatting import plain_count, plural
from chaos.samples.envoy_line import STATUS
from chaos.samples.lines import Lines, key_column
from chaos.samples.source import Row, Source
from chaos.samples.table import json_rows
from chaos.samples.values import flags_of, latency_of, status_of, time_of

HALF = 500
"""Microseconds: a duration is cut to whole milliseconds, so that the middle of one is the best guess."""
_NO_FLAGS = "the access log has no response_flags, which say what Envoy's fault filter did"
_NO_TIMES = "the access log has no start_time, by which to tell how much requests depend on each other"
_NO_DURATION = "the access log has no duration"


def source_of(lines: Lines) -> Source:
    """Return the requests of an access log."""
    source = Source(lines.file, "envoy", "Envoy's access log", iter(()), lines=lines)
    source.unknown = {"fault": _NO_FLAGS, "times": _NO_TIMES, "latency": _NO_DURATION}
    source.items = _rows(lines, source)
    return source


def _rows(lines: Lines, source: Source) -> Iterator[Row]:
    read = 0
    for value in json_rows(lines, only_objects=False):
        if STATUS not in value:
            continue  # another component's log
        read += 1
        for name, facet in (("response_flags", "fault"), ("start_time", "times"), ("duration", "latency")):
            if name in value:
                source.unknown.pop(facet, None)  # type: ignore[call-overload]
        yield _row(lines, source, value)
    if lines.number > read:
        source.notes.append(
            f"{plural(lines.number - read, 'line')} of {plain_count(lines.number)} are no access log's: left out"
        )


def _row(lines: Lines, source: Source, value: Mapping[str, Any]) -> Row:
    field = STATUS
    try:
        status = status_of(value[STATUS])
        field = "duration"
        latency = None if "latency" in source.unknown else latency_of(value.get(field) or 0, 1e3) + HALF
        field = "start_time"
        at = None if "times" in source.unknown else time_of(value.get(field))
    except ValueError as error:
        raise lines.problem(str(error), path=field, column=key_column(lines.text, field)) from None
    flags = value.get("response_flags")
    return Row(
        task=_task(value),
        status=status,
        at=at,
        latency=latency,
        fault=flags_of(flags),
        error="" if status else "timeout" if "UT" in str(flags) else "closed",
    )


def _task(value: Mapping[str, Any]) -> str:
    route = value.get("route_name")
    if route and route not in ("-", "default"):
        return str(route)
    path = str(value.get("path") or "").partition("?")[0]
    return f"{value.get('method') or ''} {path}".strip()
