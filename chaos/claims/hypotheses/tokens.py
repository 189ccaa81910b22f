"""Split expressions into tokens, and make errors that mark the place with a caret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

TOKEN = re.compile(
    r"""\s*(?:(?P<quantile>p\d{1,2}(?:\.\d+)?)\b(?![\w-])
    | (?P<value>(?:\d+\.?\d*|\.\d+)(?:\s?%|[a-zµ]+(?:\d[\d.a-zµ]*)?)?)
    | (?P<name>[A-Za-z_][\w-]*)
    | (?P<quoted>"[^"]*"|'[^']*')
    | (?P<sign><=|>=|<|>|[:.*()]))""",
    re.VERBOSE,
)


class ExpressionError(ValueError):
    """An expression that cannot be parsed. The message marks `length` characters from `column`, which counts from 0."""

    def __init__(self, text: str, message: str, column: int, length: int = 1):
        self.text, self.message, self.column, self.length = text, message, column, max(1, length)
        super().__init__(f"{message}\n  {text}\n  {' ' * column}{'^' * self.length}")


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    column: int

    @property
    def word(self) -> str:
        return self.text[1:-1] if self.kind == "quoted" else self.text


def tokens(text: str) -> Iterable[Token]:
    """Yield the tokens of a text. The last two are `end`, so that a parser may look one ahead. Raises
    ExpressionError."""
    at = 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            column = at + len(text[at:]) - len(text[at:].lstrip())
            raise ExpressionError(text, f"{text[column]!r} has no meaning here", column)
        kind = match.lastgroup or ""
        yield Token(kind, match[kind], match.start(kind))
        at = match.end()
    yield Token("end", "", len(text.rstrip()))
    yield Token("end", "", len(text.rstrip()))


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """Return `unknown phase 'recovry'; did you mean 'recovery'?`, or the known names if none is near."""
    known = tuple(known)
    near = get_close_matches(word, known, 1, 0.6)
    if near:
        return f"unknown {what} {word!r}; did you mean {near[0]!r}?"
    return f"unknown {what} {word!r}; " + (f"there are {listed(known)}" if known else "there are none")


def quoting(message: str, text: str) -> str:
    """Return the message with the text that it is about."""
    return f"{message} (in {text})" if message.endswith("?") else f"{message}, in {text}"


def listed(names: Iterable[str]) -> str:
    *rest, last = [repr(name) if " " in name else name for name in names]
    return f"{', '.join(rest)} and {last}" if rest else last
