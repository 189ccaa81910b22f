"""Read Locust's `--csv` files: `_stats.csv`, the totals of each name, and `_stats_history.csv`, the same by second.

They have requests and failures, and nothing of single requests: no status, and percentiles without their interval.
What is a failure Locust has decided (a status from 400 on, no response, or what the locustfile says).

Source: locust/stats.py (`StatsCSV`, `StatsCSVFileWriter`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chaos.errors import InvalidInput
from chaos.protocol.digest import Key
from chaos.samples.lines import Lines, field_column
from chaos.samples.source import Batch, Facet, Source
from chaos.samples.table import csv_rows, header_of
from chaos.samples.values import count_of, time_of

WELL, FAILED = 200, 500
"""Statuses in the place of those that Locust does not write: only whether a request failed is read of them."""
TOTAL = "Aggregated"

_UNKNOWN: Mapping[Facet, str] = {
    "status": "Locust's CSV counts requests and failures, not statuses",
    "lost": "Locust's CSV does not tell failures that had no response from others",
    "fault": "Locust's CSV does not say which requests met a fault",
    "latency": "Locust's CSV has percentiles, not latencies, and a percentile alone has no interval",
}
_NO_TIMES = "Locust's totals have no times; the _stats_history.csv beside them has"


def stats_source(lines: Lines) -> Source:
    """Return the totals of `_stats.csv`, as one stretch without a time."""
    source = Source(lines.file, "locust-stats", "Locust's CSV", iter(()), unknown={**_UNKNOWN, "times": _NO_TIMES})
    source.items = _totals(lines, source)
    return source


def history_source(lines: Lines) -> Source:
    """Return the stretches of `_stats_history.csv`: of each name with --csv-full-history, else of all together."""
    source = Source(lines.file, "locust-history", "Locust's CSV", iter(()), unknown=dict(_UNKNOWN), lines=lines)
    source.items = _history(lines, source)
    return source


def _totals(lines: Lines, source: Source) -> Iterator[Batch]:
    counts: dict[Key, int] = {}
    for row in _rows(lines, "Type", "Name", "Request Count", "Failure Count"):
        name = row["Name"]
        _tell(source, "" if name == TOTAL and not row["Type"] else name, row)
        if row["Type"] or name != TOTAL:  # the last row has the sum of all others
            requests, failures = _numbers(lines, row, "Request Count", "Failure Count")
            _count(counts, name, requests, failures)
    if counts:
        yield Batch(counts)


def _history(lines: Lines, source: Source) -> Iterator[Batch]:
    """Yield what was added from one timestamp to the next. With rows of single names the sums of all are left out."""
    before: dict[str, tuple[int, int]] = {}
    since: float | None = None
    for moment, now in _by_moment(lines, source):
        counts: dict[Key, int] = {}
        for name in [name for name in now if name != TOTAL] or list(now):
            more, failed = _added(before.get(name, (0, 0)), now[name], name, source)
            before[name] = now[name]
            _count(counts, "" if name == TOTAL else name, more, failed)
        begin = moment - 1.0 if since is None else since
        yield Batch(counts, begin, max(1.0, moment - begin))
        since = moment


def _added(before: tuple[int, int], now: tuple[int, int], name: str, source: Source) -> tuple[int, int]:
    """Return the requests and failures since the row before; all of them where Locust had reset its totals."""
    more, failed = now[0] - before[0], now[1] - before[1]
    if 0 <= failed <= more:
        return more, failed
    source.notes.append(f"Locust's totals of {name} fell: they had been reset, and count from 0")
    return now


def _by_moment(lines: Lines, source: Source) -> Iterator[tuple[float, dict[str, tuple[int, int]]]]:
    moment: float | None = None
    found: dict[str, tuple[int, int]] = {}
    for row in _rows(lines, "Timestamp", "Name", "Total Request Count", "Total Failure Count"):
        try:
            at = time_of(row["Timestamp"])
        except ValueError as error:
            raise lines.problem(str(error), path="Timestamp", column=field_column(lines.text, 0)) from None
        if moment is not None and at != moment:
            yield moment, found
            found = {}
        moment = at
        found[row["Name"]] = _numbers(lines, row, "Total Request Count", "Total Failure Count")
        _tell(source, "" if row["Name"] == TOTAL else row["Name"], row)
    if moment is not None:
        yield moment, found


def _rows(lines: Lines, *needed: str) -> Iterator[dict[str, str]]:
    rows = csv_rows(lines)
    header = header_of(lines, rows, *needed)
    for row in rows:
        if len(row) != len(header):
            raise lines.problem(f"has {len(row)} fields, and the header {len(header)}")
        yield dict(zip(header, row, strict=True))


def _numbers(lines: Lines, row: Mapping[str, str], *names: str) -> tuple[int, int]:
    found = []
    for name in names:
        try:
            found.append(count_of(row[name]))
        except ValueError as error:
            column = field_column(lines.text, list(row).index(name))
            raise lines.problem(str(error), path=name, column=column) from None
    requests, failures = found
    if failures > requests:
        raise InvalidInput.at(lines.file, f"{failures} failures of {requests} requests", line=lines.number)
    return requests, failures


def _count(counts: dict[Key, int], task: str, requests: int, failures: int) -> None:
    for status, count in ((WELL, requests - failures), (FAILED, failures)):
        if count:
            key = Key("", task, "", "", status)
            counts[key] = counts.get(key, 0) + count


def _tell(source: Source, task: str, row: Mapping[str, str]) -> None:
    """Note the percentiles that the file says of a name, for sentences."""
    for name, value in row.items():
        if name.endswith("%") and value not in ("", "N/A"):
            source.told[task, f"p{name.removesuffix('%')}"] = f"{value} ms"
