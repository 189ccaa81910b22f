"""Read the values of a request: statuses, times, latencies, faults. A ValueError says what would be right."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Any

from chaos.faults import FaultKind, tag_of
from chaos.mesh.read.shape import shown, suggestion
from chaos.units import parse_duration

UNITS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
"""Microseconds in a unit of latency."""

_NOTHING = ("", "-", "none", "null", "false", "no", "0")
_FLAGS = {
    "FI": FaultKind.ABORT,
    "DI": FaultKind.DELAY,
    "FaultInjected": FaultKind.ABORT,
    "DelayInjected": FaultKind.DELAY,
}
"""How Envoy's access log and Istio's metrics flag injected faults (%RESPONSE_FLAGS%, and its _LONG form)."""
_WORDS: dict[str, FaultKind] = {
    **{kind.value: kind for kind in FaultKind},
    **{kind.happened: kind for kind in FaultKind},
    **{flag.lower(): kind for flag, kind in _FLAGS.items()},
}
_ZERO = re.compile(r"(\.\d{6})\d+")  # datetime reads microseconds, k6 writes nanoseconds
_SCALES = ((1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6), (float("inf"), 1e-9))
"""Numbers below this bound are of this many seconds: 1e11 s is the year 5138, 1e11 ms is 1973."""
LONGEST = 86_400.0 * 1e6


def status_of(value: Any) -> int:
    """Return the status; 0 for an empty one, a dash or a 0: there was no response."""
    return _status(value if isinstance(value, str | int | float | None) else shown(value))


@lru_cache(1000)
def _status(value: str | int | float | None) -> int:
    if value is None or (isinstance(value, str) and value.strip() in ("", "-")):
        return 0
    if isinstance(value, str) and value.lower().startswith("non http response"):  # as JMeter writes it
        return 0
    try:
        status = number_of(value)
    except ValueError:
        status = -1.0
    if not status.is_integer() or not (status == 0 or 100 <= status <= 599):
        raise ValueError(f"{shown(value)} is no status; write 100 to 599, or 0 where there was no response")
    return int(status)


def time_of(value: Any) -> float:
    """Return seconds since 1970 of an ISO time, or of a number of seconds, milli-, micro- or nanoseconds by its
    size."""
    if isinstance(value, str):
        text = value.strip()
        if not text.replace(".", "", 1).lstrip("-").isdigit():
            return _iso(text)
    number = number_of(value)
    return number * next(scale for bound, scale in _SCALES if abs(number) < bound)


def _iso(text: str) -> float:
    try:
        moment = datetime.fromisoformat(_ZERO.sub(r"\1", text))
    except ValueError:
        raise ValueError(f"{shown(text)} is no time; write it like 2026-11-30T12:00:00.5Z or 1796040000.5") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def latency_of(value: Any, scale: float | None) -> int:
    """Return a latency in microseconds, at least one. `scale` is that of a plain number's unit; None if only texts with
    their unit (`12ms`) are latencies."""
    if isinstance(value, str) and value.strip()[-1:].isalpha():
        microseconds = parse_duration(value.strip()) * 1e6
    elif scale is None:
        raise ValueError(f"{shown(value)} has no unit; name the column like latency_ms, or give --unit ms")
    else:
        microseconds = number_of(value) * scale
    if not 0 <= microseconds <= LONGEST:
        raise ValueError(f"{shown(value)} is no latency between 0 and a day")
    return max(1, round(microseconds))  # a histogram's least; 0 has no place on a logarithmic axis


def number_of(value: Any) -> float:
    """Return a number. Raises ValueError for anything else, NaN and infinity included."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{shown(value)} is not a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{shown(value)} is not a number") from None
    if not isfinite(number):
        raise ValueError(f"{shown(value)} is not a number")
    return number


def count_of(value: Any) -> int:
    """Return a whole number that is not negative."""
    number = number_of(value)
    if number < 0 or not number.is_integer() or number > 1e15:
        raise ValueError(f"{shown(value)} is not a count")
    return int(number)


def fault_of(value: Any) -> str:
    """Return the tag of a fault: `delay`, `abort` or `delay,abort`, which Envoy's DI and FI mean as well."""
    return "" if value is None or value is False else _fault(str(value))


@lru_cache(1000)
def _fault(value: str) -> str:
    words = re.split(r"[\s,;|+]+", value.strip().lower())
    found = []
    for word in words:
        if word in _NOTHING:
            continue
        if word not in _WORDS:
            near = suggestion(word, list(_WORDS), "write abort, delay, or nothing for none")
            raise ValueError(f"{shown(value)} is no fault{near}")
        found.append(_WORDS[word])
    return tag_of(found)


def flags_of(value: Any) -> str:
    """Return the tag of the faults among Envoy's response flags, of which there are many others."""
    flags = str(value or "").split(",")
    return tag_of(_FLAGS[flag] for flag in flags if flag in _FLAGS)


def error_of(text: Any) -> str:
    """Return why there was no response, as digests name it: of few kinds, whatever a client writes."""
    said = str(text or "").lower()
    for word, kind in (("timeout", "timeout"), ("timed out", "timeout"), ("refused", "refused"), ("reset", "reset")):
        if word in said:
            return kind
    return "closed" if "eof" in said or "closed" in said else "no response"
