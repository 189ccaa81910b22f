"""Find out which column of a file of requests is which: by name, by the user's word, with the unit of the latency."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chaos.formatting import listed
from chaos.mesh.read.shape import suggestion
from chaos.samples.values import UNITS

NAMES: Mapping[str, tuple[str, ...]] = {
    "time": ("time", "timestamp", "ts", "start", "start_time", "started", "sent", "date", "datetime"),
    "end": ("end", "end_time", "ended", "finished", "completed"),
    "task": ("task", "name", "label", "request_name", "endpoint", "route", "url", "path"),
    "status": ("status", "status_code", "statuscode", "response_code", "responsecode", "http_status", "code"),
    "latency": ("latency", "duration", "elapsed", "response_time", "responsetime", "rt"),
    "fault": ("fault", "faults", "x_chaos_fault", "response_flags"),
    "phase": ("phase",),
    "error": ("error", "failure", "exception"),
}
"""Fields of a request and the names that columns have for them, the first that is there counts. A latency's may end in
its unit."""

SEVERAL = ("task", "error")
"""Fields that have a better and a worse name in many files: no harm is done by taking the better one."""

_UNIT = re.compile(r"_?\(?(seconds|secs?|s|milliseconds|millis|msecs?|ms|micros|microseconds|usecs?|us|nanos|ns)\)?$")
_UNITS = {"s": "s", "m": "ms", "u": "us", "n": "ns"}


class ColumnError(ValueError):
    """The columns do not say what is what. `column` is the one that is meant; empty for the header as a whole."""

    def __init__(self, message: str, column: str = ""):
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each field that a file has, and how many microseconds are in the unit of its latency (None: its
    texts have to say)."""

    of: Mapping[str, str]
    scale: float | None

    def __contains__(self, field: str) -> bool:
        return field in self.of


def parse_columns(texts: Iterable[str]) -> dict[str, str]:
    """Return what `--column latency=elapsed` says. Raises ColumnError."""
    found = {}
    for text in texts:
        name, equals, column = text.partition("=")
        if not equals or not column:
            raise ColumnError(f"{text!r} is not FIELD=COLUMN, like latency=elapsed")
        if name not in NAMES:
            raise ColumnError(f"{name!r} is no field of a request{suggestion(name, list(NAMES), listed(list(NAMES)))}")
        found[name] = column
    return found


def find_columns(header: Sequence[str], said: Mapping[str, str], unit: str | None) -> Columns:
    """Return which column is which. Raises ColumnError where that is not clear, or where there is no status."""
    plain = {column: _plain(column) for column in header}
    found = dict(_said(header, said))
    for field, names in NAMES.items():
        if field in found:
            continue
        there = [column for column, name in plain.items() if _base(field, name) in names]
        there.sort(key=lambda column: names.index(_base(field, plain[column])))
        if len(there) > 1 and field not in SEVERAL:
            raise ColumnError(
                f"{listed(there)} may all be the {field}; say which with --column {field}={there[0]}", there[1]
            )
        if there:
            found[field] = there[0]
    if "status" not in found:
        near = suggestion("status", list(header), f"the columns are {listed(list(header))}")
        raise ColumnError(f"no column has the status{near} --column status=NAME names it")
    return Columns(found, _scale(found.get("latency"), unit))


def _said(header: Sequence[str], said: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for field, column in said.items():
        if column not in header:
            near = suggestion(column, list(header), f"there are {listed(list(header))}")
            raise ColumnError(f"there is no column {column!r} for the {field}{near}")
        yield field, column


def _scale(column: str | None, unit: str | None) -> float | None:
    """Return the microseconds of the unit that the user or the column's name says."""
    if unit is not None:
        return UNITS[unit]
    ending = _UNIT.search(_plain(column)) if column else None
    named = ending is not None and ending.start() > 0
    return UNITS[_UNITS[_letter(ending[1])]] if ending is not None and named else None


def _letter(unit: str) -> str:
    return "u" if unit.startswith("micro") else unit[0]


def _base(field: str, name: str) -> str:
    """Return a column's plain name without its unit, if it is a latency's."""
    return _UNIT.sub("", name) if field == "latency" and name not in NAMES["latency"] else name


def _plain(column: str) -> str:
    return re.sub(r"[\s-]+", "_", column.strip().lower()).lstrip("@")
