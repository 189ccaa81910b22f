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


def printable_line(text: str) -> str:
    """Return the text as one line: a line break in a name must not make a line that looks like a verdict."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def printable_json(document: str) -> str:
    """Return a JSON document that means the same, with the like of `printable` spelt as JSON spells it (`\\u001b`)."""
    return "".join(_shown_in_json(each) if _is_unsafe(each) else each for each in document)


def _is_unsafe(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in _UNSAFE


def _shown_in_json(character: str) -> str:
    octets = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{octets[at : at + 2].hex()}" for at in range(0, len(octets), 2))


def _shown(character: str) -> str:
    return ascii(character)[1:-1] if _is_unsafe(character) else character
