"""What a bare YAML word means to kubectl: the rules of sigs.k8s.io/yaml (go-yaml v2), not PyYAML's.

The differences matter: `0o17` and `1e3` are numbers, `12:30` is a string (PyYAML: 750), dates stay strings, and a float
without a fraction becomes an integer on its way through JSON (`50.0` is 50).

A bare `y` or `n` is a `BareWord`: a boolean where one stands, as to kubectl, and else a text, as in YAML 1.2 and to
most programs that write YAML, PyYAML among them; kubectl refuses it there."""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_TRAPS = {"y": True, "Y": True, "n": False, "N": False}
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_BASED = re.compile(r"([-+]?)0(b[01_]+|o[0-7_]+|x[0-9a-fA-F_]+|[0-7_]+)", re.IGNORECASE)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_MAX_DIGITS = 40  # beyond this no integer type of the API holds the number


def resolve(word: str) -> Scalar:
    """Return the value of a plain scalar: a string unless it looks like something else."""
    if word in _WORDS:
        return _WORDS[word]
    first = word[0]
    if not (first.isdigit() or first in "+-."):
        return word
    return _number(word)


def _number(word: str) -> Scalar:
    plain = word.replace("_", "")
    if len(plain) <= _MAX_DIGITS:
        if _DECIMAL.fullmatch(plain):
            return int(plain)
        if based := _BASED.fullmatch(plain):
            digits = based[2].lower()
            base = {"b": 2, "o": 8, "x": 16}.get(digits[0], 8)
            return int(based[1] + digits.lstrip("box"), base)
    if _FLOAT.fullmatch(plain):
        return whole(float(plain))
    return word


def whole(number: float) -> int | float:
    """Return an integer when nothing is lost: JSON, which kubectl passes the value through, cannot tell `50.0` from
    `50`."""
    return int(number) if number.is_integer() and abs(number) < 2**64 else number


class BareWord(str):
    """A bare `y` or `n`."""

    __slots__ = ()

    @property
    def boolean(self) -> bool:
        """What kubectl reads."""
        return _TRAPS[self]


def is_trap(word: str) -> bool:
    """Return whether kubectl reads this bare word as a boolean although most programs take it for a text."""
    return word in _TRAPS
