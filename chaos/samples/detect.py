"""Recognize the format of a file by its content, or take the one that the user names, and return its reader."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from chaos.errors import InvalidInput
from chaos.samples import envoy, fortio, k6, locust, prometheus, table
from chaos.samples.lines import Lines
from chaos.samples.source import Source

FORMATS = (
    "csv",
    "ndjson",
    "k6-csv",
    "k6-json",
    "locust-stats",
    "locust-history",
    "fortio",
    "envoy",
    "prometheus",
    "claims",
)
"""The names for `--format`. `claims` is a file of claims with their counts."""

_WHOLE = ("fortio", "prometheus")
"""Formats of which a file is one JSON value."""

_HINTS = (
    (
        ("Method", "Name", "Error", "Occurrences"),
        "Locust's failures alone say nothing; give the _stats.csv beside it",
    ),
    (("Count", "Message", "Traceback"), "Locust's exceptions alone say nothing; give the _stats.csv beside them"),
)


class Text(NamedTuple):
    """A file: its name, and its lines."""

    file: str
    lines: Iterable[str]


class Options(NamedTuple):
    """What the user says of the files. `format` is one of FORMATS, None to look; `columns` are those of `--column`;
    `unit` is the latency's."""

    format: str | None = None
    columns: Mapping[str, str] = {}
    unit: str | None = None


def is_claims(lines: Lines, options: Options) -> bool:
    """Return whether a file has claims with their counts instead of samples."""
    if options.format is not None:
        return options.format == "claims"
    first = lines.peek().strip()
    if first.startswith("{"):
        return '"claims"' in lines.head() and '"type"' not in first
    return first.startswith(("claims:", "confidence:", "tolerance:", "name:", "---", "#"))


def source_of(texts: Sequence[Text], options: Options) -> Source:
    """Return the samples of a file; of several for Prometheus alone. Raises InvalidInput for what is not recognized."""
    lines = texts[0].lines
    first = lines if isinstance(lines, Lines) else Lines(lines, texts[0].file)
    if not first.peek():
        raise InvalidInput.at(first.file, "is empty: there is nothing to judge")
    name = options.format or _recognized(first)
    if name == "json":
        value = _whole(first)
        name = "fortio" if "DurationHistogram" in value else "prometheus" if "resultType" in str(value)[:2000] else ""
        name = name or _refuse_json(value, first.file)
        return _of_value(name, value, first, texts)
    if name in _WHOLE:
        return _of_value(name, _whole(first), first, texts)
    if len(texts) > 1:
        raise InvalidInput.at(texts[1].file, "only Prometheus's answers come in two files; judge others one by one")
    return _by_line(name, first, options)


def _by_line(name: str, lines: Lines, options: Options) -> Source:
    match name:
        case "k6-csv":
            return k6.csv_source(lines)
        case "k6-json":
            return k6.json_source(lines)
        case "locust-stats":
            return locust.stats_source(lines)
        case "locust-history":
            return locust.history_source(lines)
        case "envoy":
            return envoy.source_of(lines)
        case "ndjson":
            return table.ndjson_source(lines, options.columns, options.unit)
        case _:
            return table.csv_source(lines, options.columns, options.unit)


def _of_value(name: str, value: Mapping[str, Any], lines: Lines, texts: Sequence[Text]) -> Source:
    try:
        return _of_json_value(name, value, lines, texts)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"[:100]
        raise InvalidInput.at(lines.file, f"is not as {name.capitalize()} writes it ({what})") from None


def _of_json_value(name: str, value: Mapping[str, Any], lines: Lines, texts: Sequence[Text]) -> Source:
    if name == "prometheus":
        others = [(each.file, _whole(Lines(each.lines, each.file))) for each in texts[1:]]
        return prometheus.source_of([(lines.file, value), *others])
    if len(texts) > 1:
        raise InvalidInput.at(texts[1].file, "only Prometheus's answers come in two files; judge others one by one")
    return fortio.source_of(value, lines.file)


def _recognized(lines: Lines) -> str:
    """Return the format by the first line; `json` for a file that is one JSON value over several lines."""
    first = lines.peek().strip()
    if first.startswith("{"):
        return _of_json(first)
    if first.startswith("["):
        if first[1:2].isdigit() or '"' in first:
            raise InvalidInput.at(
                lines.file, "looks like Envoy's access log as text; write it as JSON (accessLogEncoding: JSON in Istio)"
            )
        raise InvalidInput.at(lines.file, "is one JSON list; write a JSON object a line (jq -c '.[]')")
    header = next(csv.reader([first]), [])
    if header[:3] == ["metric_name", "timestamp", "metric_value"]:
        return "k6-csv"
    if {"Timestamp", "Total Request Count", "Total Failure Count"} <= set(header):
        return "locust-history"
    if {"Name", "Request Count", "Failure Count"} <= set(header):
        return "locust-stats"
    for columns, hint in _HINTS:
        if set(columns) <= set(header):
            raise InvalidInput.at(lines.file, hint)
    if len(header) < 2 and "status" not in first.lower():
        return _perhaps_a_log(lines)
    return "csv"


def _perhaps_a_log(lines: Lines) -> str:
    raise InvalidInput.at(
        lines.file,
        "is none of the formats that are known: CSV with a header, a JSON object a line, k6, Locust, Fortio, Envoy, "
        "Prometheus; --format names one",
    )


def _of_json(first: str) -> str:
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return "json"
    if not isinstance(value, dict):
        return "ndjson"
    if "metric" in value and value.get("type") in ("Metric", "Point"):
        return "k6-json"
    if "DurationHistogram" in value or "resultType" in str(value.get("data"))[:200]:
        return "json"
    if "response_code" in value:
        return "envoy"
    return "ndjson"


def _whole(lines: Lines) -> Mapping[str, Any]:
    text = lines.rest()
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput.at(lines.file, f"is no JSON: {error.msg}", line=error.lineno, column=error.colno) from None
    except (ValueError, RecursionError):
        raise InvalidInput.at(lines.file, "is no JSON: too deep, or a number too long") from None
    if not isinstance(value, dict):
        raise InvalidInput.at(lines.file, "is no JSON object")
    return value


def _refuse_json(value: Mapping[str, Any], file: str) -> str:
    if "metrics" in value and "root_group" in value:
        hint = "k6's summary has totals alone; write its requests with `k6 run --out json=FILE`"
        raise InvalidInput.at(file, hint)
    raise InvalidInput.at(
        file, "is one JSON object of no known format (Fortio's, Prometheus's); requests come as an object a line"
    )
