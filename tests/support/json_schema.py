"""The part of JSON Schema that the admin API's description uses: what fits it, and values that do."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]

TYPES: dict[str, Any] = {
    "string": str, "integer": int, "number": int | float, "boolean": bool, "null": type(None), "array": list,
    "object": dict,
}  # fmt: skip
KNOWN = {
    "type", "properties", "required", "additionalProperties", "items", "anyOf", "$ref", "description", "default",
    "examples", "minProperties", "minimum", "maximum", "minLength", "maxLength", "pattern", "enum",
}  # fmt: skip


def misfits(value: Any, schema: Schema, root: Schema, at: str = "") -> list[str]:
    """Where a value does not fit its schema."""
    assert set(schema) <= KNOWN, schema
    if "$ref" in schema:
        return misfits(value, root["components"]["schemas"][schema["$ref"].rpartition("/")[2]], root, at)
    if "anyOf" in schema:
        each = [misfits(value, one, root, at) for one in schema["anyOf"]]
        return [] if [] in each else each[0]
    wanted = schema.get("type")
    if wanted is None:
        return []
    if not isinstance(value, TYPES[wanted]) or (isinstance(value, bool) and wanted in ("integer", "number")):
        return [f"{at or 'it'} is {value!r}, not {wanted}"]
    if wanted == "array":
        return [text for n, one in enumerate(value) for text in misfits(one, schema["items"], root, f"{at}[{n}]")]
    return _of_object(value, schema, root, at) if wanted == "object" else []


def _of_object(value: dict[str, Any], schema: Schema, root: Schema, at: str) -> list[str]:
    fields, more = schema.get("properties", {}), schema.get("additionalProperties", {})
    found = [f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value]
    for name, one in value.items():
        if name not in fields and more is False:
            found.append(f"{at}.{name} is not described")
        else:
            found += misfits(one, fields.get(name, more), root, f"{at}.{name}")
    return found


def fitting(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that fit a schema of a request."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "boolean":
            return st.booleans()
        case "number":
            low, high = schema["minimum"], schema["maximum"]
            return st.floats(low, high) | st.integers(low, int(high))
        case "string" if "pattern" in schema:
            return st.from_regex(schema["pattern"].replace("$", r"\Z"))
        case "string":
            longest = schema.get("maxLength", 40)
            return st.text(st.characters(codec="utf-8"), min_size=schema.get("minLength", 0), max_size=longest)
        case "object":
            fields = {name: fitting(one) for name, one in schema["properties"].items()}
            needed = {name: fields.pop(name) for name in schema["required"]}
            made = st.fixed_dictionaries(needed, optional=fields)
            return made.filter(lambda value: len(value) >= schema.get("minProperties", 0))
    raise AssertionError(f"no values for {schema}")


def spoilt(value: dict[str, Any], schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    """The same object with one field of a wrong type, one too many, or one that is needed left out."""
    wrong = st.sampled_from(sorted(schema["properties"])).map(lambda name: {**value, name: [1]})
    more = st.just({**value, "unheard of": 1})
    less = [
        st.just({key: one for key, one in value.items() if key != name}) for name in schema["required"] if name in value
    ]
    return st.one_of(wrong, more, *less)
