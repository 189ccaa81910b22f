"""Percentages and durations: read and written as text, computed with as fractions and seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MILLION = 1_000_000

Unit = Literal["share", "seconds", "ratio", "count"]
"""The unit of a measured number: a fraction in [0, 1], seconds, a plain ratio, or a count."""


@dataclass(frozen=True, slots=True, order=True)
class Percent:
    """A percentage as Istio hands it to Envoy: whole parts per million, truncated.

    Source: istio `translatePercentToFractionalPercent`, `uint32(value * 10000)` over MILLION."""

    per_million: int

    @classmethod
    def of(cls, value: float) -> Percent:
        """Return the percentage of a value in 0..100, truncated as Istio truncates it: `Percent.of(0.57).per_million ==
        5699`."""
        return cls(int(value * 10000))

    @property
    def fraction(self) -> float:
        return self.per_million / MILLION

    def covers(self, draw: float) -> bool:
        """Return whether a draw in [0, 1) lies below the percentage. 0 % covers no draw, 100 % every one."""
        return int(draw * MILLION) < self.per_million

    def __str__(self) -> str:
        return f"{self.per_million / 10000:.10g} %"


_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "\u00b5s": 1e-6, "ns": 1e-9}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(h|ms|m|s|us|\u00b5s|ns)")


def parse_duration(text: str) -> float:
    """Return the seconds of a duration in Go's syntax (`1h2m3.5s`, `100ms`), with an optional sign.

    Raises ValueError for anything else, a number without a unit included, as Go's time.ParseDuration does."""
    body = text[1:] if text[:1] in "+-" else text
    if body == "0":
        return 0.0
    total, at = 0.0, 0
    while at < len(body):
        part = _PART.match(body, at)
        if part is None:
            raise ValueError(f"{text!r} is not a duration; write it like 5s, 100ms or 1m30s")
        total += float(part[1]) * _UNIT_SECONDS[part[2]]
        at = part.end()
    if not body:
        raise ValueError("an empty text is not a duration; write it like 5s, 100ms or 1m30s")
    return -total if text[0] == "-" else total


def format_duration(seconds: float) -> str:
    """Return the shortest usual form: `5s`, `100ms`, `1m30s`, `250us`."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if seconds == 0:
        return "0s"
    if seconds < 1e-3:
        return f"{seconds * 1e6:.4g}us"
    if seconds < 1:
        return f"{seconds * 1e3:.4g}ms"
    if seconds < 60:
        return f"{seconds:.4g}s"
    minutes, rest = divmod(round(seconds, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{rest:.4g}s" if rest else ""]
    return "".join(parts)
