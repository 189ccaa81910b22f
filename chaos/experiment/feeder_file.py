"""Read `spec.load.feeder`: a CSV file with a head line of columns, and the places in tasks where columns may stand."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from chaos.errors import InvalidInput, Location, Problem
from chaos.experiment.attached import Attached, Load, unreadable
from chaos.experiment.feeder import ORDERS, Column, Feeder, Pieces
from chaos.formatting import plural
from chaos.mesh.source.document import Document, Path, field_path

FEEDER: Path = ("spec", "load", "feeder")
MOST_ROWS = 10_000
"""So many that each can be routed before the run begins."""
MOST_TOLD = 10
"""Problems of one file that are told; a wrong separator makes one of every line."""

_NOT_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_BEFORE_PATH = re.compile(r"https?://[^/?#]+[/?#]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FeederFile:
    """The rows as they were read: the file's name as written, its text, and the line on which each row begins."""

    name: str
    file: Attached
    feeder: Feeder
    lines: tuple[int, ...]

    @property
    def described(self) -> str:
        """What a record says of it: the values are not recorded."""
        return self.file.described(self.name)

    def locate(self, row: int) -> Location:
        return Location(self.file.path, self.lines[row], 1)


def read_feeder(document: Document | None, load: Load | None) -> tuple[FeederFile | None, list[Problem]]:
    """Return the experiment's feeder, and what is wrong with its file; None where there is none or nobody reads it.
    The field's own shape is checked with the rest of the experiment."""
    name, order = _written(document)
    if document is None or load is None or name is None:
        return None, []
    try:
        file = Attached(*load(document.file, name))
    except InvalidInput as error:
        path = FEEDER if _at(document.value, FEEDER) == name else (*FEEDER, "file")
        return None, [unreadable(document, path, error)]
    try:
        return _parse(name, file, order), []
    except InvalidInput as error:
        return None, list(error.problems)


def is_fed(document: Document | None) -> bool:
    """Return whether the experiment names a feeder."""
    return _written(document)[0] is not None


def _written(document: Document | None) -> tuple[str | None, Any]:
    """Return the file's name and the order as they are written."""
    value = _at(document.value, FEEDER) if document is not None else None
    if isinstance(value, dict):
        name = value.get("file")
        return (name if isinstance(name, str) else None), value.get("order")
    return (value if isinstance(value, str) else None), None


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _parse(name: str, file: Attached, order: Any) -> FeederFile:
    """Return the rows. Raises InvalidInput with their problems, each at its line."""
    numbered = _lines(file)
    head = next(numbered, None)
    if head is None:
        raise InvalidInput.at(file.path, "is empty; its first line names the columns", line=1)
    columns = tuple(column.strip() for column in head[1])
    for place, column in enumerate(columns):
        if column and column in columns[:place]:
            raise InvalidInput.at(file.path, f"two columns are called {column}", line=head[0])
    rows = list(islice(numbered, MOST_ROWS + 1))
    if not rows:
        raise InvalidInput.at(file.path, "has a line of columns and no rows", line=head[0])
    if len(rows) > MOST_ROWS:
        raise InvalidInput.at(file.path, f"has more than {MOST_ROWS} rows, the most that are read", line=rows[-1][0])
    wrong = [
        Problem(Location(file.path, line, 1), "", _miscounted(columns, row), "error", "feeder")
        for line, row in rows
        if len(row) != len(columns)
    ]
    if wrong:
        raise InvalidInput(wrong[:MOST_TOLD])
    feeder = Feeder(columns, tuple(tuple(row) for _, row in rows), order if order in ORDERS else "sequential")
    return FeederFile(name, file, feeder, tuple(line for line, _ in rows))


def _miscounted(columns: tuple[str, ...], row: list[str]) -> str:
    what = plural(len(row), "value")
    return (
        f"{what} for {plural(len(columns), 'column')} ({', '.join(columns)}); a value with a comma is written in quotes"
    )


def _lines(file: Attached) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of the line on which it begins; empty lines are none."""
    reader = csv.reader(_LINE.findall(file.text.removeprefix("\ufeff")), strict=True)
    begin = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise InvalidInput.at(file.path, f"is not CSV: {error}", line=begin) from None
        if row is None:
            return
        if row:
            yield begin, row
        begin = reader.line_num + 1


def column_problems(document: Document, feeder: FeederFile, fed: Mapping[Path, Pieces]) -> Iterator[Problem]:
    """Yield what is wrong with the places in which columns stand: in the host of a URL, or in a header with a value
    that no header can hold."""
    for path, pieces in fed.items():
        if path[4] == "headers":
            yield from islice(_not_in_headers(feeder, path, pieces), MOST_TOLD)
        elif path[4] not in ("body", "json") and not _BEFORE_PATH.match("".join(_before_columns(pieces))):
            message = "a column may stand in path and query only, after `http://host/`: the run checks the host it asks"
            yield Problem(document.locate(path), field_path(path), message, "error", "feeder")


def unused(document: Document, feeder: FeederFile, fed: Mapping[Path, Pieces]) -> Iterator[Problem]:
    """Yield a warning if no task names a column."""
    if not fed:
        columns = " or ".join(f"${{{column}}}" for column in feeder.feeder.columns if column)
        message = f"no task names a column of {feeder.name}; write {columns} in its URL, headers, body or json"
        yield Problem(document.locate(FEEDER), field_path(FEEDER), message, "warning", "feeder")


def _before_columns(pieces: Pieces) -> Iterator[str]:
    for each in pieces:
        if isinstance(each, Column):
            return
        yield each


def _not_in_headers(feeder: FeederFile, path: Path, pieces: Pieces) -> Iterator[Problem]:
    """Yield each row with a value that would break the head of a request."""
    for name in dict.fromkeys(each.name for each in pieces if isinstance(each, Column)):
        place = feeder.feeder.columns.index(name)
        for index, row in enumerate(feeder.feeder.rows):
            if _NOT_IN_HEADER.search(row[place]):
                message = f"column {name}: {row[place]!r} has a line break or another control character, and stands in"
                where = f"{message} the header {path[5]} ({field_path(path[:4])})"
                yield Problem(feeder.locate(index), "", where, "error", "feeder")
