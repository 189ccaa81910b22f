"""Text from files, headers and journals as it may reach a terminal: nothing in it can move a cursor or hide a word."""

from __future__ import annotations

import unicodedata

_UNSAFE = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))  # controls, bidi overrides, halves of pairs, line separators


def printable(text: str) -> str:
    """Return the text with control characters, escape sequences and overrides of direction spelt out (`\\x1b`).

    Line breaks and tabs stay: they are how lines and columns are made."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in _UNSAFE:
        return character
    return ascii(character)[1:-1]
