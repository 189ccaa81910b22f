"""The types of values in an experiment file: durations, switches, percentages, addresses.

Each reads the written form (`5s`, `off`, `5%`, `127.0.0.1:9001`) into what the code computes with: seconds, a boolean,
a percentage, host and port. The error for anything else shows the right form."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from chaos.units import parse_duration

_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%?\s*")
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]/\s]+)):(?P<port>\d{1,5})")


def read_seconds(value: Any) -> float:
    """Return the seconds of `5s` or `100ms`. Raises ValueError for a number without a unit, and if it is not
    positive."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a duration; write it like 5s, 100ms or 1m30s")
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError(f"{value!r} is not longer than 0s")
    return seconds


def read_switch(value: Any) -> bool:
    """Return a boolean for `on` or `off`. YAML 1.1 reads them as booleans unless they are quoted, so both forms arrive
    here. Raises ValueError for anything else."""
    known = {True: True, False: False, "on": True, "off": False}
    if not isinstance(value, bool | str) or value not in known:
        raise ValueError(f"{value!r} is neither on nor off")
    return known[value]


def read_percent(value: Any) -> float:
    """Return a percentage in 0..100, written with or without `%`. Raises ValueError for anything else."""
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    number = float(match[1]) if match else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"{value!r} is not a percentage; write it like 5 or 5%")
    if not 0 <= number <= 100:
        raise ValueError(f"{value!r} is not between 0 and 100")
    return float(number)


def read_address(value: Any) -> tuple[str, int]:
    """Return host and port of `127.0.0.1:9001` or `[::1]:9001`. Raises ValueError for anything else."""
    match = _HOST_PORT.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ValueError(f"{value!r} is not an address; write it like 127.0.0.1:9001")
    return match["v6"] or match["host"], int(match["port"])


def read_text(value: Any) -> str:
    """Return the text of a header's or environment variable's value, also if YAML reads it as a number or boolean."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not a text")
    return str(value)


def not_empty(value: Collection[Any]) -> Collection[Any]:
    """Return a list or mapping. Raises ValueError if it is empty. pydantic's own check takes wrong items for absent."""
    if not value:
        raise ValueError("must not be empty")
    return value


Seconds = Annotated[float, BeforeValidator(read_seconds, json_schema_input_type=str)]
Switch = Annotated[bool, BeforeValidator(read_switch, json_schema_input_type=bool | str)]
Percentage = Annotated[float, BeforeValidator(read_percent, json_schema_input_type=float | str)]
Address = Annotated[tuple[str, int], BeforeValidator(read_address, json_schema_input_type=str)]
Text = Annotated[str, BeforeValidator(read_text, json_schema_input_type=str | int | float | bool)]
NotEmpty = AfterValidator(not_empty)
"""For a list or mapping with at least one item."""
