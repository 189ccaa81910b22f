"""Read what k6 writes: `--out csv=FILE` and `--out json=FILE`.

A request has a row for each of its metrics, of which http_req_duration (milliseconds) is read. k6 stamps a row with the
end of its request. A `name` tag is the task; tags `phase` and `fault`, which a script may set, are read as well.

Source: k6's output/csv and output/json; lib/netext/httpext/tracer.go (`Trail.SaveSamples`) for the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

from chaos.samples.lines import Lines, key_column
from chaos.samples.source import Row, Source
from chaos.samples.table import column_of, csv_rows, header_of, json_rows
from chaos.samples.values import error_of, fault_of, latency_of, status_of, time_of

METRIC = "http_req_duration"
_NO_FAULT = "k6 does not write which requests met a fault; set a tag named fault from the response's x-chaos-fault"


def csv_source(lines: Lines) -> Source:
    """Return the requests of k6's CSV."""
    source = _source(lines, "k6-csv", "k6's CSV")
    source.items = _from_csv(lines, source)
    return source


def json_source(lines: Lines) -> Source:
    """Return the requests of k6's JSON, a point a line."""
    source = _source(lines, "k6-json", "k6's JSON")
    source.items = _from_json(lines, source)
    return source


def _source(lines: Lines, name: str, title: str) -> Source:
    return Source(lines.file, name, title, iter(()), unknown={"fault": _NO_FAULT}, lines=lines)


def _from_csv(lines: Lines, source: Source) -> Iterator[Row]:
    rows = csv_rows(lines)
    header = header_of(lines, rows, "metric_name", "timestamp", "metric_value")
    for row in rows:
        if row[0] != METRIC:
            continue
        if len(row) != len(header):
            raise lines.problem(f"has {len(row)} fields, and the header {len(header)}")
        told = dict(zip(header, row, strict=True))
        tags = told | {name: values[0] for name, values in parse_qs(told.get("extra_tags", "")).items()}
        places = {"status": "status", "time": "timestamp", "value": "metric_value", "fault": "extra_tags"}

        def place(field: str, places: Mapping[str, str] = places) -> tuple[str, int]:
            return places[field], column_of(lines, header, places[field])

        yield _row(lines, source, told["timestamp"], told["metric_value"], tags, place)


def _from_json(lines: Lines, source: Source) -> Iterator[Row]:
    for value in json_rows(lines):
        if value.get("type") != "Point" or value.get("metric") != METRIC:
            continue
        data = value.get("data")
        if not isinstance(data, dict):
            raise lines.problem("a point without its data", path="data", column=key_column(lines.text, "data"))
        tags = data.get("tags")
        told = tags if isinstance(tags, dict) else {}
        yield _row(lines, source, data.get("time"), data.get("value"), told, _in_json(lines))


def _in_json(lines: Lines) -> Any:
    return lambda field: (field, key_column(lines.text, field))


def _row(lines: Lines, source: Source, time: Any, value: Any, tags: Mapping[str, Any], place: Any) -> Row:
    field = "status"
    try:
        status = status_of(tags.get("status"))
        field = "value"
        latency = latency_of(value, 1e3)
        field = "time"
        at = time_of(time) - latency / 1e6
        field = "fault"
        fault = fault_of(tags.get("fault"))
    except ValueError as error:
        path, column = place(field)
        raise lines.problem(str(error), path=path, column=column) from None
    if "fault" in tags:
        source.unknown.pop("fault", None)
    return Row(
        task=str(tags.get("name") or tags.get("url") or ""),
        status=status,
        at=at,
        latency=latency,
        fault=fault,
        phase=str(tags.get("phase") or ""),
        error="" if status else error_of(tags.get("error")),
    )
