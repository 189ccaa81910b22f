"""Replace `${NAME}` and `${NAME:-default}` in tasks and programs' environments, and keep the values out of what is
recorded.

The environment is an argument. The document keeps its text, so that whatever is shown or written of it has the names;
`$${` stands for `${`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.errors import Problem
from chaos.mesh.read.shape import suggestion
from chaos.mesh.source.document import Document, Path, field_path

_REFERENCE = re.compile(r"\$(?P<literal>\$\{)|\$\{(?P<inside>[^{}]*)(?P<end>\}?)")
_INSIDE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)
_PLACES: tuple[Path, ...] = (
    *(
        ("spec", "load", "tasks", "*", name)
        for name in ("get", "head", "post", "put", "patch", "delete", "options", "url", "headers", "body", "json")
    ),
    ("spec", "services", "*", "env"),
)
"""The fields in which names are replaced, with all that is inside them; `*` is any step."""

LEAST_HIDDEN = 4
"""Characters that a value has at least if it is looked for in other texts. A shorter one is no secret, and would be
found everywhere."""


@dataclass(slots=True)
class Expansion:
    """Replaces names in texts. `used` has the values that came from the environment, by name."""

    environment: Mapping[str, str]
    used: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

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
        text, wrong = self.text(value)
        self.problems += [
            Problem(document.locate(path), field_path(path), message, "error", "environment") for message in wrong
        ]
        return text

    def text(self, written: str) -> tuple[str, list[str]]:
        """Return the text with the names replaced, and what is wrong with those that are not."""
        wrong: list[str] = []

        def replaced(match: re.Match[str]) -> str:
            if match["literal"]:
                return "${"
            found = self._value(match)
            if isinstance(found, str):
                return found
            wrong.append(found[0])
            return match[0]

        return _REFERENCE.sub(replaced, written), wrong

    def _value(self, match: re.Match[str]) -> str | tuple[str]:
        """Return the value of one reference, or what is wrong with it."""
        inside = _INSIDE.fullmatch(match["inside"])
        if not match["end"] or inside is None:
            return (f"{match[0]!r} is not ${{NAME}} or ${{NAME:-default}}; write $${{ for a plain ${{",)
        name, default = inside["name"], inside["default"]
        value = self.environment.get(name)
        if default is not None and not value:  # as in a shell
            return str(default)
        if value is None:
            hint = suggestion(name, sorted(self.environment), f"set it, or write ${{{name}:-default}}")
            return (str(hint.after(f"the environment has no variable {name}")),)
        self.used[name] = value
        return value


# ---------------------------------------------------------------------------------------------- what is recorded

HIDDEN = "(hidden)"
"""What a record has in place of a credential that stands in the file itself."""

_CREDENTIALS = {"authorization", "proxy-authorization", "cookie", "set-cookie", "token", "api-key", "apikey"}
_NAMES_ALONE = re.compile(r"(?:[A-Za-z]+ )?\$\{[A-Za-z_][A-Za-z0-9_]*\}")


def is_credential(header: str) -> bool:
    """Return whether a header's value is kept out of records: authorization, cookie, `*-token`, `*-key`."""
    name = header.lower()
    return name in _CREDENTIALS or name.endswith(("-token", "-key"))


def without_credential(header: str, value: str) -> str:
    """Return the value as it may be recorded: what only names a variable stays, like `Bearer ${TOKEN}`."""
    return HIDDEN if is_credential(header) and not _NAMES_ALONE.fullmatch(value) else value


@dataclass(frozen=True, slots=True)
class Redaction:
    """Writes names in place of the values that came from the environment. `whole` has texts that are replaced where
    they are all of it, however short the values in them."""

    values: Mapping[str, str] = field(default_factory=dict)
    whole: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, text: str) -> str:
        if text in self.whole:
            return self.whole[text]
        for value, name in self._longest_first():
            text = text.replace(value, f"${{{name}}}")
        return text

    def _longest_first(self) -> Iterator[tuple[str, str]]:
        found = [(value, name) for name, value in self.values.items() if len(value) >= LEAST_HIDDEN]
        yield from sorted(found, key=lambda each: -len(each[0]))
