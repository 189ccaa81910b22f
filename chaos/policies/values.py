"""The types of values in a FaultPolicy: durations, percentages, sizes.

Each reads the written form (`5s`, `30%`) into what the code computes with; the error for anything else shows the right
form."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Strict

from chaos.units import parse_duration

_PERCENT = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*%?\s*")


def _seconds(value: Any) -> float:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a duration; write it with a unit, like 5s or 100ms")
    seconds = parse_duration(value)
    if seconds < 0:
        raise ValueError(f"{value!r} is negative; a duration is 0s or longer")
    return seconds


def _longer_than_nothing(value: Any) -> float:
    seconds = _seconds(value)
    if not seconds:
        raise ValueError(f"{value!r} is not longer than 0s")
    return seconds


def _percent(value: Any) -> float:
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    number = float(match[1]) if match else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"{value!r} is not a percentage; write it like 30 or 30%")
    if not 0 <= number <= 100:
        raise ValueError(f"{value!r} is not between 0 and 100")
    return float(number)


Seconds = Annotated[float, BeforeValidator(_seconds, json_schema_input_type=str)]
"""A duration, 0s or longer."""
Span = Annotated[float, BeforeValidator(_longer_than_nothing, json_schema_input_type=str)]
"""A duration longer than 0s."""
Percentage = Annotated[float, BeforeValidator(_percent, json_schema_input_type=float | str)]
Size = Annotated[int, Strict(), Field(ge=0)]
"""A number of bytes."""
Count = Annotated[int, Strict(), Field(ge=1)]
