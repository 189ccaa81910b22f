"""The short texts an experiment file is written in, as types: durations, switches, percentages, addresses.

Each takes what people write (`5s`, `off`, `5%`, `127.0.0.1:9001`) and holds what the core computes with: seconds,
booleans, fractions, host and port. What cannot be read is refused with the right spelling in the message.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from chaos.units import parse_duration

_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%?\s*")
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]/\s]+)):(?P<port>\d{1,5})")


def read_seconds(value: Any) -> float:
    """Seconds of `5s`, `100ms`; refuses a bare number (no unit) and anything that is not longer than nothing."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a duration; write it like 5s, 100ms or 1m30s")
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError(f"{value!r} is not longer than 0s")
    return seconds


def read_switch(value: Any) -> bool:
    """`on` and `off`; YAML 1.1 reads them as booleans unless they are quoted, so both spellings arrive here."""
    known = {True: True, False: False, "on": True, "off": False}
    if not isinstance(value, bool | str) or value not in known:
        raise ValueError(f"{value!r} is neither on nor off")
    return known[value]


def read_percent(value: Any) -> float:
    """A percentage in 0..100, with or without its sign."""
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    number = float(match[1]) if match else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"{value!r} is not a percentage; write it like 5 or 5%")
    if not 0 <= number <= 100:
        raise ValueError(f"{value!r} is not between 0 and 100")
    return float(number)


def read_address(value: Any) -> tuple[str, int]:
    """Host and port of `127.0.0.1:9001` or `[::1]:9001`."""
    match = _HOST_PORT.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ValueError(f"{value!r} is not an address; write it like 127.0.0.1:9001")
    return match["v6"] or match["host"], int(match["port"])


def read_text(value: Any) -> str:
    """A header's or environment variable's value; YAML reads 1 and true as other types, people mean the text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not a text")
    return str(value)


Seconds = Annotated[float, BeforeValidator(read_seconds, json_schema_input_type=str)]
Switch = Annotated[bool, BeforeValidator(read_switch, json_schema_input_type=bool | str)]
Percentage = Annotated[float, BeforeValidator(read_percent, json_schema_input_type=float | str)]
Address = Annotated[tuple[str, int], BeforeValidator(read_address, json_schema_input_type=str)]
Text = Annotated[str, BeforeValidator(read_text, json_schema_input_type=str | int | float | bool)]
