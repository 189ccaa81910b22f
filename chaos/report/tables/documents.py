"""The rules as they ran: the files' text with numbered lines, lightly highlighted, with anchors for the findings'
links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from chaos.report.tables.findings import line_anchor

MAX_LINES = 3000
_KEY = re.compile(r"^(\s*(?:- )*)([A-Za-z0-9_.\-/\"']+)(:)(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    anchor: str
    html: Markup
    marked: bool


@dataclass(frozen=True, slots=True)
class Document:
    file: str
    lines: tuple[Line, ...]
    left_out: int


def documents(texts: Mapping[str, str], places: Iterable[str]) -> tuple[Document, ...]:
    """Return the files' lines; those named by `places` (`file:line:column`) are marked."""
    marked = {tuple(place.rsplit(":", 2)[:2]) for place in places if place.count(":") >= 2}
    made = []
    for file, text in texts.items():
        lines = text.splitlines()
        shown = tuple(
            Line(number, line_anchor(file, number), _html(line), (file, str(number)) in marked)
            for number, line in enumerate(lines[:MAX_LINES], 1)
        )
        made.append(Document(file, shown, max(0, len(lines) - MAX_LINES)))
    return tuple(made)


def _html(line: str) -> Markup:
    code, comment = _split_comment(line)
    found = _KEY.match(code)
    if found is None:
        html = escape(code)
    else:
        html = Markup("{}<b>{}</b>{}{}").format(found[1], found[2], found[3], code[found.end() :])
    return html + Markup("<i>{}</i>").format(comment) if comment else html


def _split_comment(line: str) -> tuple[str, str]:
    """Split a line into code and the comment at its end; a # within quotes or a word does not begin one."""
    quote = ""
    for index, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and (index == 0 or line[index - 1] in " \t"):
            return line[:index], line[index:]
    return line, ""
