"""Read Fortio's JSON: counts by status, and a histogram of durations that does not say which request took how long.

`RetCodes` has the number of requests of each status; -1 is a request without a response.

Source: fortio.org/fortio, periodic.RunnerResults and fhttp.HTTPRunnerResults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.errors import InvalidInput
from chaos.protocol.digest import Key
from chaos.samples.source import Batch, Source
from chaos.samples.values import count_of, number_of, status_of
from chaos.units import format_duration


def source_of(value: Mapping[str, Any], file: str) -> Source:
    """Return the counts of one run of Fortio. Raises InvalidInput for one without statuses, as of gRPC."""
    codes = value.get("RetCodes")
    if not isinstance(codes, dict) or not codes:
        raise InvalidInput.at(file, "Fortio's result has no counts by status, as HTTP runs have", path="RetCodes")
    if any(not code.lstrip("-").isdigit() for code in codes):
        raise InvalidInput.at(file, f"{next(iter(codes))!r} is no HTTP status", path="RetCodes")
    source = Source(file, "fortio", "Fortio's JSON", iter([_counts(codes, file)]))
    source.unknown = {
        "fault": "Fortio does not write which requests met a fault",
        "times": "Fortio's histogram has no times, by which to tell how much requests depend on each other",
        "latency": "Fortio's histogram does not say when its requests came, nor which of them failed",
    }
    for each in (value.get("DurationHistogram") or {}).get("Percentiles") or ():
        source.told["", f"p{each['Percentile']:g}"] = format_duration(number_of(each["Value"]))
    return source


def _counts(codes: Mapping[str, Any], file: str) -> Batch:
    counts: dict[Key, int] = {}
    for code, value in codes.items():
        try:
            status, count = status_of("" if code.startswith("-") else code), count_of(value)
        except ValueError as error:
            raise InvalidInput.at(file, str(error), path=f"RetCodes.{code}") from None
        key = Key("", "", "", "", status, error="" if status else "no response")
        counts[key] = counts.get(key, 0) + count
    return Batch(counts)
