"""JSON Schema of the typed JSON in chaos/protocol, so that what is described is what is said."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

Schema = dict[str, Any]

_PLAIN: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def schema_of(kind: Any, parts: dict[str, Schema]) -> Schema:
    """Return the schema of a type: plain values, lists, dicts with texts as keys, unions and TypedDicts. A TypedDict
    becomes a reference, and its own schema is added to `parts` under its name."""
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        return {"type": "array", "items": schema_of(arguments[0], parts)}
    if origin is dict:
        values = {} if arguments[1] is Any else schema_of(arguments[1], parts)
        return {"type": "object", "additionalProperties": values}
    if origin in (Union, UnionType):
        return {"anyOf": [schema_of(each, parts) for each in arguments]}
    if not is_typeddict(kind):
        raise TypeError(f"{kind!r} has no schema")
    if kind.__name__ not in parts:
        parts[kind.__name__] = {}  # known from here on, should it name itself
        parts[kind.__name__] = _object(kind, parts)
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _object(kind: Any, parts: dict[str, Schema]) -> Schema:
    """Return the schema of a TypedDict: it has no other fields."""
    hints = get_type_hints(kind, include_extras=True)
    optional = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
    fields = {name: schema_of(get_args(hint)[0] if name in optional else hint, parts) for name, hint in hints.items()}
    described: Schema = {"description": " ".join(kind.__doc__.split())} if kind.__doc__ else {}
    return described | {
        "type": "object",
        "properties": fields,
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }
