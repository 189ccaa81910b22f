"""Make text from files, headers and journals safe for a terminal: it cannot move the cursor or hide a word."""

from __future__ import annotations

import unicodedata

_UNSAFE = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))  # controls, bidi overrides, halves of pairs, line separators


def printable(text: str) -> str:
    """Return the text with control characters and overrides of direction escaped (`\\x1b`); line breaks and tabs
    stay."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(_shown(character) for character in text)


def printable_line(text: str) -> str:
    """Return the text as one line, so that a line break in a name cannot make a line that looks like a verdict."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def printable_json(document: str) -> str:
    """Return a JSON document with the same meaning and the characters that `printable` escapes written as `\\u001b`."""
    return "".join(_shown_in_json(each) if _is_unsafe(each) else each for each in document)


def _is_unsafe(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in _UNSAFE


def _shown_in_json(character: str) -> str:
    encoded = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{encoded[at : at + 2].hex()}" for at in range(0, len(encoded), 2))


def _shown(character: str) -> str:
    return ascii(character)[1:-1] if _is_unsafe(character) else character
