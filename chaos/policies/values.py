"""The types of values in a FaultPolicy: durations, percentages, sizes, headers.

Each reads the written form (`5s`, `30%`) into what the code computes with; the error for anything else shows the right
form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from chaos.mesh.check.admission.values import header_name
from chaos.mesh.model.message import Text
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


_OURS = ("content-length", "transfer-encoding", "connection", "upgrade")


def _names(names: Iterable[str]) -> None:
    for name in names:
        wrong = header_name(name)
        if wrong:
            raise ValueError(wrong)
        if name.lower() in _OURS or name.lower().startswith("x-chaos-"):
            raise ValueError(f"{name} is made by the gateway itself; leave it out")


def _header_names(names: tuple[str, ...]) -> tuple[str, ...]:
    _names(names)
    return names


def _header_values(headers: dict[str, str]) -> dict[str, str]:
    _names(headers)
    for name, value in headers.items():
        if not value.replace("\t", " ").isprintable():
            raise ValueError(f"the value of {name} has a line end or another control character; leave it out")
    return headers


def octets(headers: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return headers as they are sent."""
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())


Seconds = Annotated[float, BeforeValidator(_seconds, json_schema_input_type=str)]
"""A duration, 0s or longer."""
Span = Annotated[float, BeforeValidator(_longer_than_nothing, json_schema_input_type=str)]
"""A duration longer than 0s."""
Percentage = Annotated[float, BeforeValidator(_percent, json_schema_input_type=float | str)]
Size = Annotated[int, Strict(), Field(ge=0)]
"""A number of bytes."""
Count = Annotated[int, Strict(), Field(ge=1)]
"""A number of something, 1 or more."""


def _bytes_per_second(value: Any) -> float:
    rate = value
    if isinstance(value, str):
        match = _RATE.fullmatch(value)
        if match is None:
            raise ValueError(f"{value!r} is not a rate; write bytes per second, like 64KB/s, 1MiB/s or 65536")
        rate = float(match[1]) * _UNITS[match[2].upper()]
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        raise ValueError(f"{value!r} is not a rate; write bytes per second, like 64KB/s, 1MiB/s or 65536")
    if rate < 1:
        raise ValueError(f"{value!r} is less than 1 byte per second; for nothing at all there is stall")
    return float(rate)


_UNITS = {"": 1, "K": 1000, "KI": 1024, "M": 1000**2, "MI": 1024**2, "G": 1000**3, "GI": 1024**3}
_RATE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*(|[kKMG]i?)B(?:/s)?\s*")

Rate = Annotated[float, BeforeValidator(_bytes_per_second, json_schema_input_type=int | str)]
"""Bytes per second, 1 or more; KB are 1000 bytes, KiB 1024."""
HeaderValues = Annotated[dict[str, Text], AfterValidator(_header_values)]
"""Headers of a response, by name."""
HeaderNames = Annotated[tuple[Text, ...], AfterValidator(_header_names)]
