"""Check a plain value against a pydantic model, and report errors in words that show what would be right.

Shared by the Istio documents and the Experiment document: `validate_model` turns pydantic's errors into Problems that
point at the user's line. Unknown fields come with the nearest known name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from chaos.errors import Problem
from chaos.mesh.source.document import Document, Path, field_path, one_line

M = TypeVar("M", bound=BaseModel)

MAX_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a message, or of a part of one, and what they say to write instead, if they do. A `code` stands
    before that of whoever reports it."""

    text: str
    fix: str | None = None
    code: str = ""

    def after(self, text: str) -> Wording:
        """Return a longer message that ends in this one."""
        return Wording(text + self.text, self.fix, self.code)

    def __str__(self) -> str:
        return self.text


def validate_model(
    model_cls: type[M], value: Any, document: Document, prefix: Path = ()
) -> tuple[M | None, list[Problem]]:
    """Return the instance, or None and every problem. `prefix` leads from the document's root to `value`."""
    try:
        return model_cls.model_validate(value, by_alias=True, by_name=False), []
    except ValidationError as error:
        found = [_problem(model_cls, value, document, prefix, item) for item in error.errors(include_url=False)]
        return None, list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Misfit:
    """A place where a value does not fit its model. `kind` is pydantic's word for why; `meant` is the word, or the name
    of the field, that was probably meant there, or empty."""

    path: Path
    kind: str
    meant: str = ""


def misfits(model_cls: type[BaseModel], value: Any) -> list[Misfit]:
    """Return every place where the value does not fit the model; empty when it fits. A missing field has its own
    path."""
    try:
        model_cls.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        return [_misfit(model_cls, value, item) for item in error.errors(include_url=False)]
    return []


def _misfit(model: type[BaseModel], value: Any, error: Any) -> Misfit:
    kind, path = error["type"], _path_inside(value, error["loc"], error["type"])
    meant = _message(model, path, error).fix if kind in ("literal_error", "extra_forbidden") else None
    return Misfit(path, kind, meant or "")


def nearest(word: str, known: list[str]) -> str | None:
    """Return the known name that `word` was probably meant to be, or None; case, `_` and `-` do not count."""
    plain = {_plain(name): name for name in known}
    if _plain(word) in plain:
        return plain[_plain(word)]
    close = difflib.get_close_matches(_plain(word), list(plain), n=1, cutoff=0.6)
    return plain[close[0]] if close else None


def suggestion(word: str, known: Sequence[str] | Mapping[str, str], otherwise: str = "", *, quote: str = "") -> Wording:
    """Return `; did you mean X?` for the nearest known name, `; <otherwise>` without one, "" if that is empty too.

    A mapping leads from the names that are compared to those that are shown."""
    close = nearest(word, list(known))
    name = None if close is None else known[close] if isinstance(known, Mapping) else close
    if name is None or name == word:
        return Wording(f"; {otherwise}" if otherwise else "")
    return Wording(f"; did you mean {quote}{name}{quote}?", name)


def one_of(words: list[str]) -> str:
    """Return `a, b or c`, for messages."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def shown(value: Any) -> str:
    """Return a value roughly as the user wrote it, at most MAX_SHOWN characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 4]}..."


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def _problem(model: type[BaseModel], value: Any, document: Document, prefix: Path, error: Any) -> Problem:
    path = _path_inside(value, error["loc"], error["type"])
    full = (*prefix, *path)
    locate = document.locate_key if error["type"] == "extra_forbidden" else document.locate
    said = _message(model, path, error)
    if error["type"] == "string_type" and (word := document.word(full)):
        said = _write(f'"{word}"', " in quotes").after(f"expected a string, not {shown(error['input'])}")
    return Problem(locate(full), field_path(full), one_line(str(said)), "error", "schema", said.fix)


def _path_inside(value: Any, loc: tuple[str | int, ...], kind: str) -> Path:
    """Return pydantic's location without the steps that exist in no document (members of unions, validators)."""
    path: list[str | int] = []
    for step in loc:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(step)
    if kind == "missing":
        path.append(loc[-1])
    return tuple(path)


def _message(model: type[BaseModel], path: Path, error: Any) -> Wording:
    kind, given = error["type"], error.get("input")
    if kind == "extra_forbidden":
        return _unknown_field(str(path[-1]) if path else "", _fields(model, path[:-1]))
    if kind in ("literal_error", "enum"):
        return _wrong_word(given, error["ctx"]["expected"])
    if kind in _EXPECTED:
        return _hint(kind, given, path).after(f"expected {_EXPECTED[kind]}, not {shown(given)}")
    if kind in _BOUNDS:
        return _beyond(kind, given, next(iter(error["ctx"].values())))
    return Wording(_plain_message(error))


def _beyond(kind: str, given: Any, bound: Any) -> Wording:
    """Return how a number is out of bounds; a share instead of a percentage is the likely mistake below 1."""
    limit = f"{bound:g}" if isinstance(bound, float) else bound
    said = f"{shown(given)} is {_BOUNDS[kind]} {limit}"
    if isinstance(bound, int | float) and bound >= 50 and isinstance(given, float) and 0 < given < 1:
        return _write(f"{given * 100:g}", ", as it is in percent").after(said)
    return Wording(said)


def _plain_message(error: Any) -> str:
    kind, given, context = error["type"], error.get("input"), error.get("ctx", {})
    if kind == "missing":
        return "required, but missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return f"{shown(given)} does not match {context['pattern']}"
    return str(error["msg"]).removeprefix("Value error, ")


_BOUNDS = {
    "greater_than_equal": "less than",
    "less_than_equal": "greater than",
    "greater_than": "not greater than",
    "less_than": "not less than",
}

_EXPECTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _hint(kind: str, given: Any, path: Path) -> Wording:
    if kind == "model_type" and path[-1:] in (("percentage",), ("mirrorPercentage",)) and not isinstance(given, list):
        return _write(f"{{value: {_without_percent(given)}}}")
    if kind == "string_type" and isinstance(given, bool | int | float):
        return _write(f'"{shown(given)}"', " in quotes")
    if kind in _NUMBERS and isinstance(given, str) and _without_percent(given) != given:
        return _write(_without_percent(given), ", as it is in percent")
    if kind in ("int_type", "float_type", "bool_type") and isinstance(given, str):
        return _write(given, " without quotes") if _fits(kind, given) else Wording("")
    if kind == "tuple_type" and given is not None and not isinstance(given, list):
        return Wording("; begin the item with `- `")
    if kind in ("model_type", "dict_type") and isinstance(given, list):
        return Wording("; leave out the `- `")
    return Wording("")


_NUMBERS = ("int_type", "int_parsing", "float_type", "float_parsing")


def _without_percent(given: Any) -> Any:
    """Return the number in `10%`; anything else as it is."""
    number = given.removesuffix("%").strip() if isinstance(given, str) and given.endswith("%") else ""
    return number if number and _fits("float_type", number) else given


def _write(fix: str, how: str = "") -> Wording:
    return Wording(f"; write {fix}{how}", fix)


def _fits(kind: str, text: str) -> bool:
    if kind == "bool_type":
        return text in ("true", "false")
    try:
        float(text) if kind == "float_type" else int(text)
    except ValueError:
        return False
    return True


def _wrong_word(given: Any, expected: str) -> Wording:
    words = [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]
    meant = suggestion(given, words) if isinstance(given, str) else Wording("")
    return meant.after(f"{shown(given)} is not known; expected {one_of(words)}")


def _unknown_field(name: str, known: list[str]) -> Wording:
    otherwise = f"known here: {', '.join(known)}" if known else ""
    return suggestion(name, known, otherwise, quote="`").after(f"unknown field `{name}`")


def _fields(model: type[BaseModel], path: Path) -> list[str]:
    """Return the names of the fields that the model knows at this path, sorted."""
    current: Any = model
    for step in path:
        models = _models(current)
        if not models:
            current = _dict_values(current)
        elif isinstance(step, str):
            fields = [info for item in models for info in item.model_fields.items()]
            current = next((info.annotation for name, info in fields if _name(name, info) == step), None)
    return sorted({_name(name, info) for item in _models(current) for name, info in item.model_fields.items()})


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models inside an annotation: through Optional, Annotated, tuples and lists, not into dicts."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is dict:
        return []
    return [item for part in get_args(annotation) for item in _models(part)]


def _dict_values(annotation: Any) -> Any:
    """Return the annotation of the values of the first dict in an annotation, or None."""
    args = get_args(annotation)
    if get_origin(annotation) is dict and len(args) == 2:
        return args[1]
    return next((found for part in args if (found := _dict_values(part)) is not None), None)


def _name(attribute: str, info: FieldInfo) -> str:
    return info.alias or attribute
