"""Read requests from CSV with a header, or from NDJSON: a row a request."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chaos.errors import InvalidInput
from chaos.samples.columns import ColumnError, Columns, find_columns
from chaos.samples.lines import Lines, field_column, key_column
from chaos.samples.source import Facet, Row, Source
from chaos.samples.values import error_of, fault_of, latency_of, status_of, time_of

_WITHOUT: dict[str, Facet] = {"time": "times", "latency": "latency", "fault": "fault"}
_REASONS: dict[Facet, str] = {
    "times": "the file has no times, by which to tell how much requests depend on each other",
    "latency": "the file has no latencies",
    "fault": "the file does not say which requests met a fault",
}

Place = Callable[[str], int]
"""From a column's name to where it is in the last line."""


def csv_source(lines: Lines, said: Mapping[str, str], unit: str | None) -> Source:
    """Return the requests of a CSV file. Raises InvalidInput for a header that does not say what is what."""
    rows = csv_rows(lines)
    header = next(rows, [])
    columns = _columns(lines, header, said, unit, lambda name: field_column(lines.text, header.index(name)))
    source = Source(lines.file, "csv", "the CSV", iter(()), lines=lines)
    _note_missing(source, set(columns.of))
    source.items = _from_csv(lines, rows, header, columns)
    return source


def csv_rows(lines: Lines) -> Iterator[list[str]]:
    """Yield the records of a CSV file, empty ones left out. Raises InvalidInput for what is no CSV."""
    reader = csv.reader(lines, strict=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise lines.problem(f"is no CSV: {error}") from None
        if row is None:
            return
        if row:
            yield row


def header_of(lines: Lines, rows: Iterator[list[str]], *needed: str) -> list[str]:
    """Return the first record. Raises InvalidInput without the columns that a format has."""
    header = next(rows, [])
    missing = [name for name in needed if name not in header]
    if missing:
        raise lines.problem(f"no column {missing[0]}, which this format has; --format names another")
    return header


def column_of(lines: Lines, header: list[str], name: str) -> int:
    """Return where a field of the last line is; 1 if there is no such column."""
    return field_column(lines.text, header.index(name)) if name in header else 1


def _columns(lines: Lines, header: list[str], said: Mapping[str, str], unit: str | None, place: Place) -> Columns:
    try:
        return find_columns(header, said, unit)
    except ColumnError as error:
        raise lines.problem(str(error), column=place(error.column) if error.column in header else 1) from None


def _from_csv(lines: Lines, rows: Iterator[list[str]], header: list[str], columns: Columns) -> Iterator[Row]:
    places = {field: header.index(column) for field, column in columns.of.items()}
    for row in rows:
        if len(row) != len(header):
            raise lines.problem(f"has {len(row)} fields, and the header {len(header)}")
        values = {field: row[place] for field, place in places.items()}
        yield _row(values, columns, lines, lambda name: field_column(lines.text, header.index(name)))


def ndjson_source(lines: Lines, said: Mapping[str, str], unit: str | None) -> Source:
    """Return the requests of a file with a JSON object a line. A key may be missing where there is nothing to say."""
    source = Source(lines.file, "ndjson", "the NDJSON", iter(()), lines=lines)
    source.items = _from_ndjson(lines, source, said, unit)
    return source


def _from_ndjson(lines: Lines, source: Source, said: Mapping[str, str], unit: str | None) -> Iterator[Row]:
    known: dict[tuple[str, ...], Columns] = {}
    header: dict[str, None] = {}
    seen: set[str] = set()
    for value in json_rows(lines):
        names = tuple(value)
        columns = known.get(names)
        if columns is None:  # a new combination of keys; there are few
            header.update(dict.fromkeys(names))
            columns = known[names] = _columns(lines, list(header), said, unit, _in_json(lines))
            seen |= set(columns.of)
            _note_missing(source, seen)
        values = {field: value.get(column) for field, column in columns.of.items()}
        if columns.of["status"] not in value and not values.get("error"):
            message = "a request without a status; write 0 where there was no response"
            raise lines.problem(message, path=columns.of["status"])
        yield _row(values, columns, lines, _in_json(lines))


def _in_json(lines: Lines) -> Place:
    return lambda name: key_column(lines.text, name)


def json_rows(lines: Lines, *, only_objects: bool = True) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file with one a line. Raises InvalidInput for a line that is none; with `only_objects`
    False, lines that do not begin with a bracket are left out."""
    for line in lines:
        text = line.strip()
        if not text or not (only_objects or text.startswith("{")):
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:  # ValueError alone for numbers of thousands of digits
            column = getattr(error, "colno", 1) + len(line) - len(line.lstrip())
            why = getattr(error, "msg", "too deep, or a number too long")
            raise lines.problem(f"is no JSON: {why}", column=column) from None
        if not isinstance(value, dict):
            raise lines.problem('is no JSON object; a row is one, like {"status": 200}')
        yield value


def _note_missing(source: Source, seen: set[str]) -> None:
    """Note what no row has said so far."""
    source.unknown.clear()
    for field, facet in _WITHOUT.items():
        if field not in seen and not (field == "time" and "end" in seen):
            source.unknown[facet] = _REASONS[facet]


def _row(values: Mapping[str, Any], columns: Columns, lines: Lines, place: Place) -> Row:
    field = "status"
    try:
        status = status_of(values.get("status"))
        field = "latency"
        latency = _latency(values, columns, status)
        field = "time"
        at = _sent(values, latency)
        field = "fault"
        fault = fault_of(values.get("fault"))
    except ValueError as error:
        column = columns.of.get(field, columns.of.get("end", ""))
        raise _problem(lines, str(error), column, place) from None
    task, phase = values.get("task"), values.get("phase")
    return Row(
        task="" if task is None else str(task),
        status=status,
        at=at,
        latency=latency,
        fault=fault,
        phase="" if phase is None else str(phase),
        error="" if status else error_of(values.get("error") or values.get("status")),
    )


def _problem(lines: Lines, message: str, column: str, place: Place) -> InvalidInput:
    return lines.problem(message, path=column, column=place(column))


def _latency(values: Mapping[str, Any], columns: Columns, status: int) -> int | None:
    if "latency" not in columns:
        return None
    value = values.get("latency")
    if value in (None, "", "-"):
        if status:
            raise ValueError("a request with a response has no latency")
        return 1
    return latency_of(value, columns.scale)


def _sent(values: Mapping[str, Any], latency: int | None) -> float | None:
    """Return when the request was sent: `time`, or the latency before `end`."""
    if values.get("time") not in (None, ""):
        return time_of(values["time"])
    if "end" not in values:
        if "time" in values:
            raise ValueError("a request has no time, and others have")
        return None
    if latency is None:
        raise ValueError("an end without a latency does not say when the request was sent")
    return time_of(values["end"]) - latency / 1e6
