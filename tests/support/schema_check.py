"""Whether a value fits a JSON Schema of draft 2020-12, as far as ours goes: an unknown keyword is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

TYPES: dict[str, Any] = {
    "string": str, "integer": int, "number": int | float, "boolean": bool, "null": type(None), "array": list,
    "object": dict,
}  # fmt: skip
WORDS = {
    "description", "default", "examples", "$schema", "$defs", "then",
    # of values of another type, of which `type` speaks
    "properties", "required", "additionalProperties", "items", "pattern", "minItems", "minLength", "maxLength",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
}  # fmt: skip
"""Keywords that say nothing of the value."""


def misfits(value: Any, schema: Schema, root: Schema, at: str = "") -> list[str]:
    """Where a value does not fit, and why."""
    return [text for keyword in schema for text in _wrong(keyword, value, schema, root, at)]


def _wrong(keyword: str, value: Any, schema: Schema, root: Schema, at: str) -> Iterator[str]:
    wanted = schema[keyword]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match keyword:
        case "$ref":
            yield from misfits(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, at)
        case "allOf":
            yield from (text for each in wanted for text in misfits(value, each, root, at))
        case "anyOf" | "oneOf":
            found = [misfits(value, each, root, at) for each in wanted]
            if all(found) or (keyword == "oneOf" and found.count([]) != 1):
                yield f"{at} fits none: {found}"
        case "not":
            if not misfits(value, wanted, root, at):
                yield f"{at} is {value!r}, which is excluded"
        case "if":
            if not misfits(value, wanted, root, at):
                yield from misfits(value, schema["then"], root, at)
        case "type":
            if not isinstance(value, TYPES[wanted]) or (isinstance(value, bool) and wanted in ("integer", "number")):
                yield f"{at} is {value!r}, no {wanted}"
        case "const" | "enum":
            if value not in ([wanted] if keyword == "const" else wanted):
                yield f"{at} is {value!r}, not {wanted}"
        case "properties" if isinstance(value, dict):
            yield from (
                t for n, each in wanted.items() if n in value for t in misfits(value[n], each, root, f"{at}.{n}")
            )
        case "required" if isinstance(value, dict):
            yield from (f"{at}.{name} is missing" for name in wanted if name not in value)
        case "additionalProperties" if isinstance(value, dict):
            more = [name for name in value if name not in schema.get("properties", {})]
            if wanted is False and more:
                yield f"{at} has {more}"
            elif isinstance(wanted, dict):
                yield from (text for name in more for text in misfits(value[name], wanted, root, f"{at}.{name}"))
        case "items" if isinstance(value, list):
            yield from (text for n, each in enumerate(value) for text in misfits(each, wanted, root, f"{at}[{n}]"))
        case "pattern" if isinstance(value, str):
            if not re.search(wanted, value):
                yield f"{at} is {value!r}, not like {wanted}"
        case "minItems" | "minLength" | "maxLength" if isinstance(value, list | str):
            if len(value) > wanted if keyword == "maxLength" else len(value) < wanted:
                yield f"{at} is {value!r}: {keyword} {wanted}"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" if number:
            if {
                "minimum": value < wanted, "maximum": value > wanted, "exclusiveMinimum": value <= wanted,
                "exclusiveMaximum": value >= wanted,
            }[keyword]:  # fmt: skip
                yield f"{at} is {value!r}: {keyword} {wanted}"
        case _:
            assert keyword in WORDS, keyword
