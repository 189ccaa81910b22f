"""Make a plain text that a regular expression matches as a whole, for requests derived from rules.

RE2's syntax is close enough to Python's to be parsed by Python. For anything else, and for hard cases (look-around,
classes that exclude every plain character), there is no example. Callers check the text with RE2 anyway.
"""

from __future__ import annotations

import re._constants as op  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Callable
from typing import Any

_PLAIN = "a1-_./ABCDEFGHIJKLMNOPQRSTUVWXYZbcdefghijklmnopqrstuvwxyz023456789~!$&'()*+,;=:@%?# "


def example(pattern: str) -> str | None:
    """Return a text that the pattern matches; None if it is not that simple."""
    try:
        return "".join(_piece(each) for each in parser.parse(pattern))
    except (ValueError, OverflowError, RecursionError):
        return None
    except Exception as error:  # re.error, whose name differs between versions of Python
        if type(error).__name__ in ("error", "PatternError"):
            return None
        raise


def _piece(token: tuple[Any, Any]) -> str:
    kind: Any = token[0]
    value: Any = token[1]
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.ANY:
        return "a"
    if kind is op.NOT_LITERAL:
        return _first(lambda code: code != value)
    if kind is op.IN:
        return _of_class(value)
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
        low, high, inside = value
        times = max(low, 1) if high and not _optional(low, inside) else low
        return str("".join(_piece(each) for each in inside) * times)
    if kind is op.SUBPATTERN:
        return "".join(_piece(each) for each in value[-1])
    if kind is op.BRANCH:
        return "".join(_piece(each) for each in value[1][0])
    if kind is op.AT:
        return ""
    raise ValueError(f"{kind} has no plain example")


def _optional(low: int, inside: Any) -> bool:
    """Return whether an optional part is left out: `(...)?` and `x*` are, but `.*` becomes one character, so that
    `/api/.*` shows a path."""
    return low == 0 and not (len(inside) == 1 and inside[0][0] in (op.ANY, op.IN))


def _of_class(items: list[tuple[Any, Any]]) -> str:
    negated = bool(items) and items[0][0] is op.NEGATE
    body = items[1:] if negated else items
    return _first(lambda code: any(_in(code, item) for item in body) != negated)


def _in(code: int, item: tuple[Any, Any]) -> bool:
    kind, value = item
    if kind is op.LITERAL:
        return bool(code == value)
    if kind is op.RANGE:
        return bool(value[0] <= code <= value[1])
    if kind is op.CATEGORY:
        return _CATEGORIES[value](chr(code)) if value in _CATEGORIES else False
    raise ValueError(f"{kind} has no plain example")


_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    op.CATEGORY_DIGIT: str.isdigit,
    op.CATEGORY_NOT_DIGIT: lambda char: not char.isdigit(),
    op.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
    op.CATEGORY_NOT_WORD: lambda char: not (char.isalnum() or char == "_"),
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
}


def _first(fits: Any) -> str:
    for char in _PLAIN:
        if fits(ord(char)):
            return char
    raise ValueError("no plain character fits")
