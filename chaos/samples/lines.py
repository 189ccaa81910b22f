"""The lines of a file, with their numbers and the last one kept, so that a problem can point at its row and column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chaos.errors import InvalidInput

LONGEST = 1 << 20
"""Characters in a line: no row of a request is longer."""
LARGEST = 64 << 20
"""Characters of a file that is one JSON value, which has to be read as a whole."""


class Lines:
    """Iterates over a file's lines. `number` and `text` are those of the last one; `peek` shows the next that is not
    empty without taking it."""

    def __init__(self, lines: Iterable[str], file: str):
        self.file = file
        self.number, self.text = 0, ""
        self._lines = iter(lines)
        self._held: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._held.pop(0) if self._held else next(self._lines)
        if not self.number:
            line = line.removeprefix("\ufeff")
        self.number, self.text = self.number + 1, line
        if len(line) > LONGEST:
            raise self.problem(f"a line of {len(line)} characters is no row of a request")
        if "\0" in line:
            raise self.problem("holds zero bytes; is it text?")
        return line

    def peek(self) -> str:
        """Return the next line that is not empty; empty at the end of the file."""
        for held in self._held:
            if held.strip():
                return held.removeprefix("\ufeff")
        for line in self._lines:
            self._held.append(line)
            if line.strip():
                return line.removeprefix("\ufeff")
        return ""

    def head(self, most: int = 30) -> str:
        """Return the next lines together, without taking them."""
        for line in self._lines:
            self._held.append(line)
            if len(self._held) >= most:
                break
        return "".join(self._held).removeprefix("\ufeff")

    def rest(self) -> str:
        """Return all that is left, for a file that is one value. Raises InvalidInput for one that is too large."""
        parts, size = [], 0
        for line in (*self._held, *self._lines):
            parts.append(line)
            size += len(line)
            if size > LARGEST:
                raise InvalidInput.at(self.file, f"more than {LARGEST >> 20} MB in one JSON value")
        self._held = []
        return "".join(parts).removeprefix("\ufeff")

    def problem(self, message: str, path: str = "", column: int = 1) -> InvalidInput:
        """Return the error at a column of the last line."""
        return InvalidInput.at(self.file, message, line=max(1, self.number), column=column, path=path)


def field_column(text: str, index: int) -> int:
    """Return the column, from 1, at which a CSV line's field begins."""
    quoted, seen = False, 0
    for place, character in enumerate(text):
        if seen == index:
            return place + 1
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            seen += 1
    return len(text.rstrip()) + 1 if seen == index else 1


def key_column(text: str, key: str) -> int:
    """Return the column, from 1, at which a key of a JSON line stands; 1 if it does not."""
    return text.find(f'"{key}"') + 1 or 1
