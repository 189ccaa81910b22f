"""Put the values of a CSV file's rows into requests, where `${column}` stands for them. Reads no file.

Imports neither pydantic nor YAML, for the load's sake. chaos/journal/identity.py says which row a request takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Protocol, TypeVar
from urllib.parse import quote, urlsplit

Order = Literal["sequential", "random"]
ORDERS: tuple[Order, ...] = ("sequential", "random")
Row = Mapping[str, str]
"""A row's values by column."""


@dataclass(frozen=True, slots=True)
class Column:
    """A place in a text for a row's value of a column; `default` stands where that is empty."""

    name: str
    default: str = ""


Pieces = tuple[str | Column, ...]
Quoting = Literal["url", "json", "none"]
_QUOTES: Mapping[Quoting, Callable[[str], str]] = {
    "url": lambda value: quote(value, safe=""),
    "json": lambda value: json.dumps(value)[1:-1],
    "none": str,
}


@dataclass(frozen=True, slots=True)
class Template:
    """A text with columns in it; values are quoted so that they stay one part of a URL, or of a JSON string."""

    pieces: Pieces
    quoting: Quoting = "none"

    def fill(self, row: Row) -> str:
        """Return the text with a row's values."""
        quoted = _QUOTES[self.quoting]
        filled = (each if isinstance(each, str) else quoted(row[each.name] or each.default) for each in self.pieces)
        return "".join(filled)

    @property
    def columns(self) -> set[str]:
        return {each.name for each in self.pieces if isinstance(each, Column)}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Template:
        """Read it from parsed JSON."""
        pieces = tuple(each if isinstance(each, str) else Column(**each) for each in value["pieces"])
        return cls(pieces, value["quoting"])


@dataclass(frozen=True, slots=True)
class Fed:
    """The parts of one task that differ from row to row. `target` is the URL from its path on."""

    target: Template | None = None
    headers: Mapping[str, Template] = field(default_factory=dict)
    body: Template | None = None

    @property
    def columns(self) -> set[str]:
        """The columns that the task names."""
        return self.head_columns | (self.body.columns if self.body is not None else set())

    @property
    def head_columns(self) -> set[str]:
        """Those of URL and headers, which decide what rule takes a request."""
        templates = [*self.headers.values(), *([self.target] if self.target is not None else [])]
        return set[str]().union(*(each.columns for each in templates))

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Fed:
        """Read it from parsed JSON."""
        target, body = (None if value[name] is None else Template.of(value[name]) for name in ("target", "body"))
        return cls(target, {name: Template.of(each) for name, each in value["headers"].items()}, body)


class Fillable(Protocol):
    """A task, as the planner or as the load has it."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def url(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> str | None: ...
    @property
    def fed(self) -> Fed | None: ...


_Task = TypeVar("_Task", bound=Fillable)


def filled(task: _Task, row: Row) -> _Task:
    """Return the task's request with a row's values."""
    fed = task.fed
    if fed is None:
        return task
    parts = urlsplit(task.url)
    return replace(
        task,
        url=task.url if fed.target is None else f"{parts.scheme}://{parts.netloc}{fed.target.fill(row)}",
        headers={**task.headers, **{name: each.fill(row) for name, each in fed.headers.items()}},
        body=task.body if fed.body is None else fed.body.fill(row),
        fed=None,
    )


@dataclass(frozen=True, slots=True)
class Feeder:
    """The rows, each with a value for every column, and the order in which requests take them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    order: Order = "sequential"

    def row(self, index: int) -> Row:
        return dict(zip(self.columns, self.rows[index], strict=True))

    def only(self, columns: Iterable[str]) -> Feeder:
        """Return it with these columns alone."""
        wanted = set(columns)
        places = [place for place, name in enumerate(self.columns) if name in wanted]
        names = tuple(self.columns[place] for place in places)
        return replace(self, columns=names, rows=tuple(tuple(row[place] for place in places) for row in self.rows))

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Feeder:
        """Read it from parsed JSON."""
        return cls(tuple(value["columns"]), tuple(tuple(row) for row in value["rows"]), value["order"])
