"""Replace `${NAME}` and `${NAME:-default}` in tasks and programs' environments.

In tasks a column of the feeder comes before a variable of the same name: the experiment says what its requests are, and
must not mean something else where the environment happens to have that name, too.

The environment is an argument. The document keeps its text, so that whatever is shown or written of it has the names;
`$${` stands for `${`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.errors import Problem
from chaos.experiment.feeder import Column, Pieces, Template
from chaos.experiment.feeder_file import FeederFile
from chaos.mesh.read.shape import suggestion
from chaos.mesh.source.document import Document, Path, field_path

_REFERENCE = re.compile(r"\$(?P<literal>\$\{)|\$\{(?P<inside>[^{}]*)(?P<end>\}?)")
_INSIDE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)
_TARGETS = ("get", "head", "post", "put", "patch", "delete", "options", "url")
_PLACES: tuple[Path, ...] = (
    *(("spec", "load", "tasks", "*", name) for name in (*_TARGETS, "headers", "body", "json")),
    ("spec", "services", "*", "env"),
)
"""The fields in which names are replaced, with all that is inside them; `*` is any step."""


@dataclass(slots=True)
class Expansion:
    """Replaces names in texts. `used` has the values that came from the environment, by name; `fed` the texts in which
    columns of the feeder stand, by field. These have the values of its first row. Of a feeder that is `unread` nobody
    knows the columns, so that in tasks no name is unknown."""

    environment: Mapping[str, str]
    feeder: FeederFile | None = None
    unread: bool = False
    used: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    fed: dict[Path, Pieces] = field(default_factory=dict)

    def document(self, document: Document) -> Any:
        """Return the document's value with the names replaced; what is missing is a problem and stays as written."""
        value = document.value
        for place in _PLACES:
            value = self._at(value, place, (), document)
        return value

    def _at(self, value: Any, steps: Path, path: Path, document: Document) -> Any:
        """Return a copy of the value in which names are replaced below `steps`."""
        if not steps:
            return self._inside(value, path, document)
        step, rest = steps[0], steps[1:]
        if isinstance(value, dict):
            names = list(value) if step == "*" else [step] if step in value else []
            return {**value, **{name: self._at(value[name], rest, (*path, name), document) for name in names}}
        if isinstance(value, list) and step == "*":
            return [self._at(each, rest, (*path, index), document) for index, each in enumerate(value)]
        return value

    def _inside(self, value: Any, path: Path, document: Document) -> Any:
        if isinstance(value, dict):
            return {name: self._inside(each, (*path, name), document) for name, each in value.items()}
        if isinstance(value, list):
            return [self._inside(each, (*path, index), document) for index, each in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        feeder = self.feeder if path[1] == "load" else None
        pieces, wrong = self.pieces(value, feeder)
        told = [] if self.unread and path[1] == "load" else wrong
        self.problems += [
            Problem(document.locate(path), field_path(path), message, "error", "environment") for message in told
        ]
        if feeder is None or all(isinstance(each, str) for each in pieces):
            return "".join(map(str, pieces))
        self.fed[path] = pieces
        return Template(pieces, "url" if path[-1] in _TARGETS else "none").fill(feeder.feeder.row(0))

    def text(self, written: str) -> tuple[str, list[str]]:
        """Return the text with the environment's names replaced, and what is wrong with those that are not."""
        pieces, wrong = self.pieces(written)
        return "".join(map(str, pieces)), wrong

    def pieces(self, written: str, feeder: FeederFile | None = None) -> tuple[Pieces, list[str]]:
        """Return the text with the environment's names replaced and the feeder's columns between its pieces; and what
        is wrong with the names that are neither, which stay as written."""
        found: list[str | Column] = []
        wrong: list[str] = []
        end = 0
        for match in _REFERENCE.finditer(written):
            value = "${" if match["literal"] else self._value(match, feeder)
            if isinstance(value, tuple):
                wrong += value
                value = match[0]
            found += [written[end : match.start()], value]
            end = match.end()
        return (*found, written[end:]), wrong

    def _value(self, match: re.Match[str], feeder: FeederFile | None) -> str | Column | tuple[str, ...]:
        """Return the value of one reference, the column that it names, or what is wrong with it."""
        inside = _INSIDE.fullmatch(match["inside"])
        if not match["end"] or inside is None:
            return (f"{match[0]!r} is not ${{NAME}} or ${{NAME:-default}}; write $${{ for a plain ${{",)
        name, default = inside["name"], inside["default"]
        if feeder is not None and name in feeder.feeder.columns:
            return Column(name, default or "")
        value = self.environment.get(name)
        if default is not None and not value:  # as in a shell
            return str(default)
        if value is None:
            return (self._missing(name, feeder),)
        self.used[name] = value
        return value

    def _missing(self, name: str, feeder: FeederFile | None) -> str:
        columns = feeder.feeder.columns if feeder is not None else ()
        hint = suggestion(name, sorted({*self.environment, *columns}), f"set it, or write ${{{name}:-default}}")
        where = "" if feeder is None else f", and {feeder.name} no such column ({', '.join(columns)})"
        return str(hint.after(f"the environment has no variable {name}{where}"))
