"""Read a YAML stream into plain values that remember their positions, with every problem located.

`read_documents` never raises: it returns problems together with the documents that could be read. Values are JSON's
(dict with string keys, list, str, int, float, bool, None), as kubectl would send them. Hostile input is refused: size,
depth, and the size of expanded aliases are limited. Knows nothing of Istio."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from chaos.errors import Location, Problem, Severity
from chaos.mesh.source.scalars import BareWord, Scalar, is_trap, resolve, whole
from chaos.mesh.source.templates import RENDER_FIRST, template_line

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 200_000

Path = tuple[str | int, ...]
Position = tuple[int, int]

_OURS = "chaos/"  # the group of an Experiment
_REPEATED = "repeated-key"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_TAGGED: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
}
"""The tags of scalars that say which value is meant; of all others go-yaml makes a text."""

# A colon before `]`, `}` or a comma, as in `[2001:db8::]`: text to kubectl, an error to libyaml, which reads a mark.
_COLON = re.compile(r"""(?<=[^\s"'\]}]):(?=[],[{}])""")
_COLON_PROBLEM = "found unexpected ':'"
_MARK = "\ue03a"


@dataclass(slots=True, eq=False)
class Place:
    """The positions of a value: its key (or the value itself in a list), the value, and the values inside it."""

    key: Position
    value: Position
    children: dict[str | int, Place] | None = None
    size: int = 1  # nodes inside, aliases expanded
    word: str = ""  # how it is written, where kubectl reads a bare word as a boolean


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One document of a stream. `value` is plain data; `index` counts from 0."""

    file: str
    index: int
    value: Any
    place: Place

    def locate(self, path: Path = ()) -> Location:
        """Return where a field is: a scalar itself, the key of a mapping or list; its nearest parent when it is
        missing."""
        place = self._find(path)
        return self._at(place.value if place.children is None else place.key)

    def locate_key(self, path: Path) -> Location:
        """Return where the field's key is; the nearest parent's when it is missing."""
        return self._at(self._find(path).key)

    def word(self, path: Path) -> str:
        """Return the bare word there that kubectl reads as a boolean, such as `on` or `y`; empty for anything else."""
        return self._find(path).word

    def _find(self, path: Path) -> Place:
        place = self.place
        for step in path:
            inside = (place.children or {}).get(step)
            if inside is None:
                return place
            place = inside
        return place

    def _at(self, position: Position) -> Location:
        return Location(self.file, *position)


@dataclass(frozen=True, slots=True, eq=False)
class Documents:
    """All of one file: its documents, the errors, and notes (infos) on words that kubectl reads differently."""

    file: str
    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)

    def __len__(self) -> int:
        return len(self.documents)


def one_line(text: str) -> str:
    """Escape the control characters of text from a file, so that in a message it cannot move a cursor."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def field_path(path: Path) -> str:
    """Write a path as Istio does: `spec.http[0].match[1].headers.end-user`; odd keys are quoted in brackets."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step and not set(step) & set('.[]" \t\n'):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return one_line(text)


def marked(text: str) -> str:
    """Return the text, as long as before, with another character for each colon that libyaml takes for a mark."""
    return _COLON.sub(_MARK, text)


def read_documents(text: str | bytes, file: str) -> Documents:
    """Read every document of the stream. Empty documents are skipped; a stream without any is a problem."""
    refused = _refuse(text)
    if refused:
        return Documents(file, problems=(Problem(Location(file), "", refused),))
    decoded = _decode(text)
    if isinstance(decoded, str):
        read = _Reader(file).read(decoded)
        place = template_line(decoded) if read.problems and "{{" in decoded else None
        return read if place is None else Documents(file, problems=(Problem(Location(file, *place), "", RENDER_FIRST),))
    line, message = decoded
    return Documents(file, problems=(Problem(Location(file, line), "", message),))


def _refuse(text: str | bytes) -> str | None:
    if not text.strip():
        return "the file is empty; expected a VirtualService or an Experiment"
    if len(text) > MAX_BYTES:
        return f"{len(text) / 1e6:.1f} MB is too large for rules; the limit is {MAX_BYTES >> 20} MiB"
    return None


def _decode(text: str | bytes) -> str | tuple[int, str]:
    """Return the text, or the line and message of the reason why it is not one."""
    if isinstance(text, str):
        decoded = text
    else:
        encoding = "utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        try:
            decoded = text.decode(encoding)
        except UnicodeDecodeError as error:
            return text.count(
                b"\n", 0, error.start
            ) + 1, f"not a text file: byte {error.start} is not {encoding[:6].rstrip('-')}"
    if "\0" in decoded:
        return decoded.count("\n", 0, decoded.index("\0")) + 1, "not a text file: it holds a NUL character"
    return decoded


class _Fault(Exception):  # noqa: N818 - leaves the reader, never this module
    """The rest of the stream cannot be read."""

    def __init__(self, position: Position, message: str):
        self.position, self.message = position, message


@dataclass(slots=True)
class _Reader:
    """Builds values and places from the parser's events, without an intermediate tree."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    anchors: dict[str, tuple[Any, Place]] = field(default_factory=dict)
    path: list[str | int] = field(default_factory=list)
    nodes: int = 0
    marked: bool = False  # whether _COLON is written as _MARK

    def read(self, text: str) -> Documents:
        documents: list[Document] = []
        try:
            events = yaml.parse(text, Loader=_Loader)
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    self.anchors.clear()
                    self.path.clear()
                    noted = len(self.notes)
                    value, place = self._node(next(events), events, 0)
                    if isinstance(value, dict) and str(value.get("apiVersion")).startswith(_OURS):
                        self._refuse_repeated(noted)
                    if value is not None:
                        documents.append(Document(self.file, len(documents), value, place))
        except yaml.MarkedYAMLError as error:
            if not self.marked and error.problem == _COLON_PROBLEM:
                return _Reader(self.file, marked=True).read(marked(text))
            self._problem(_position(error.problem_mark or error.context_mark), "", _one_line(error))
        except yaml.YAMLError as error:
            self._problem(_reader_position(error, text), "", _unreadable(error))
        except _Fault as fault:
            self._problem(fault.position, "", fault.message)
        if not documents and not self.problems:
            self._problem((1, 1), "", "the file holds no document; expected a VirtualService or an Experiment")
        return Documents(self.file, tuple(documents), tuple(self.problems), tuple(self.notes))

    def _node(self, event: Any, events: Iterator[yaml.Event], depth: int) -> tuple[Any, Place]:
        position = _position(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor, position)
        if depth > MAX_DEPTH:
            raise _Fault(position, f"nested more than {MAX_DEPTH} deep")
        self._count(1, position)
        value: Any
        if isinstance(event, yaml.MappingStartEvent):
            value, place = self._mapping(position, events, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            value, place = self._sequence(position, events, depth)
        else:
            value, place = self._scalar(event, position), Place(position, position)
            if event.tag is None and event.implicit[0] and (isinstance(value, bool) or is_trap(event.value)):
                place.word = str(event.value)
        if event.anchor is not None:
            self.anchors[event.anchor] = value, place
        return value, place

    def _alias(self, anchor: str | None, position: Position) -> tuple[Any, Place]:
        if anchor is None or anchor not in self.anchors:
            raise _Fault(position, f"alias *{anchor} has no anchor &{anchor} that is complete before it")
        value, place = self.anchors[anchor]
        self._count(place.size, position)
        return value, Place(position, position, place.children, place.size)

    def _count(self, nodes: int, position: Position) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise _Fault(position, f"more than {MAX_NODES} values once aliases are expanded")

    def _sequence(self, position: Position, events: Iterator[yaml.Event], depth: int) -> tuple[list[Any], Place]:
        values: list[Any] = []
        places: dict[str | int, Place] = {}
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            self.path.append(len(values))
            value, places[len(values)] = self._node(event, events, depth + 1)
            values.append(value)
            self.path.pop()
        return values, _around(position, places)

    def _mapping(self, position: Position, events: Iterator[yaml.Event], depth: int) -> tuple[dict[str, Any], Place]:
        values: dict[str, Any] = {}
        places: dict[str | int, Place] = {}
        merged: list[tuple[Any, Place]] = []
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key_position = _position(event.start_mark)
            merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]
            key = "<<" if merge else self._key(event, events, depth)
            self.path.append(key)
            value, place = self._node(next(events), events, depth + 1)
            if merge:
                merged += self._merge_sources(value, place)
            else:
                if key in places:
                    message = f"the key appears twice, first in line {places[key].key[0]}; the last one counts"
                    self._note(key_position, field_path(tuple(self.path)), message, "warning", _REPEATED)
                values[key] = value
                stands = key_position if value is None else place.value
                places[key] = Place(key_position, stands, place.children, place.size, place.word)
            self.path.pop()
        _merge(values, places, merged)
        return values, _around(position, places)

    def _key(self, event: Any, events: Iterator[yaml.Event], depth: int) -> str:
        """Return a key as a string; numbers and booleans become one as in kubectl, anything else is a problem."""
        position = _position(event.start_mark)
        value, _ = self._node(event, events, depth + 1)
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            text = "true" if value else "false"
            word = getattr(event, "value", text)
            if word != text:
                message = f'a bare `{word}` is the boolean {text} in YAML; write "{word}" in quotes for the string'
                self._note(position, field_path((*self.path, word)), message, "warning")
            return text
        if isinstance(value, int | float):
            return str(value)
        kind = "null" if value is None else "a list" if isinstance(value, list) else "a mapping"
        self._problem(position, field_path(tuple(self.path)), f"a key must be a string, not {kind}")
        return f"<{kind}>"

    def _merge_sources(self, value: Any, place: Place) -> list[tuple[Any, Place]]:
        if isinstance(value, dict):
            return [(value, place)]
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return list(zip(value, (place.children or {}).values(), strict=True))
        self._problem(place.value, field_path(tuple(self.path)), "`<<` merges a mapping or a list of mappings")
        return []

    def _scalar(self, event: yaml.ScalarEvent, position: Position) -> Scalar:
        text = str(event.value).replace(_MARK, ":") if self.marked else str(event.value)
        if event.tag is None:
            return self._plain(text, position) if event.implicit[0] else text
        return self._tagged(text, event.tag.removeprefix(_TAG), position)

    def _tagged(self, text: str, tag: str, position: Position) -> Scalar:
        if tag == "binary":
            return self._binary(text, position)
        if tag not in _TAGGED:
            return text
        value = BareWord(text).boolean if is_trap(text) else resolve(text)
        if not isinstance(value, _TAGGED[tag]) or (isinstance(value, bool) and tag != "bool"):
            self._problem(position, field_path(tuple(self.path)), f"the tag !!{tag} does not fit here; leave it out")
        return whole(float(value)) if tag == "float" and isinstance(value, int) else value

    def _binary(self, text: str, position: Position) -> str:
        try:
            return base64.b64decode(text, validate=True).decode(errors="replace")
        except ValueError:
            self._problem(position, field_path(tuple(self.path)), "tagged !!binary, but it is not base64")
            return text

    def _plain(self, text: str, position: Position) -> Scalar:
        if is_trap(text):
            found = BareWord(text)
            word = "true" if found.boolean else "false"
            message = f'kubectl reads a bare `{text}` as the boolean; write {word}, or "{text}" in quotes for the text'
            self._note(position, field_path(tuple(self.path)), message, "info")
            return found
        value = resolve(text)
        if isinstance(value, float) and not abs(value) < float("inf"):
            self._problem(position, field_path(tuple(self.path)), f"{text} is not a finite number")
            return 0
        return value

    def _refuse_repeated(self, noted: int) -> None:
        """Make errors of the repeated keys among the latest notes: only of a document that kubectl reads is it known
        which one counts."""
        found = self.notes[noted:]
        self.notes[noted:] = [each for each in found if each.code != _REPEATED]
        for each in found:
            if each.code == _REPEATED:
                said = each.message.partition(";")[0]
                self.problems.append(replace(each, message=said, severity="error", code="schema"))

    def _note(
        self, position: Position, path: str, message: str, severity: Severity, code: str = "yaml-boolean"
    ) -> None:
        self.notes.append(Problem(Location(self.file, *position), path, one_line(message), severity, code))

    def _problem(self, position: Position, path: str, message: str) -> None:
        self.problems.append(Problem(Location(self.file, *position), path, one_line(message), "error", "schema"))


def _around(position: Position, places: dict[str | int, Place]) -> Place:
    return Place(position, position, places, 1 + sum(place.size for place in places.values()))


def _merge(values: dict[str, Any], places: dict[str | int, Place], sources: list[tuple[Any, Place]]) -> None:
    """Apply YAML's merge key: a key that is here already wins, then the earlier source."""
    for value, place in sources:
        for key, item in value.items():
            if key not in values:
                values[key] = item
                places[key] = (place.children or {})[key]


def _position(mark: Any) -> Position:
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


_MEANT = (
    ("character that cannot start any token", "a character that begins nothing here, such as a tab, @ or a backquote; "
     "indent with blanks, and put such a text in quotes"),
    ("unexpected end of stream while scanning a quoted scalar", "a quote that opens further up is never closed"),
    ("did not find expected ',' or ']'", "a list in [ ] goes on without a comma, or is never closed"),
    ("did not find expected ',' or '}'", "a mapping in { } goes on without a comma, or is never closed"),
    ("did not find expected key while parsing a block mapping", "expected `key: value`, as in the lines before; is the "
     "indentation the same?"),
    ("did not find expected '-' indicator", "expected `- item`, as in the lines before; is the indentation the same?"),
    ("mapping values are not allowed in this context", "a second `: ` in one line; put the text in quotes, or begin a "
     "line of its own"),
    ("found incompatible YAML document", "a %YAML directive that asks for another version than 1.1 or 1.2"),
    ("found unknown escape character", "a backslash that means nothing in double quotes; write it twice, or use single "
     "quotes"),
)  # fmt: skip
"""What libyaml says, and what it means to the one who wrote the file."""


def _one_line(error: yaml.MarkedYAMLError) -> str:
    where = f" {error.context}" if error.context else ""
    said = f"{error.problem}{where}".replace("\n", " ")
    return f"not YAML: {next((meant for raw, meant in _MEANT if raw in said), said)}"


def _unreadable(error: yaml.YAMLError) -> str:
    character = getattr(error, "character", None)
    if isinstance(character, int):
        return f"not YAML: a control character (U+{character:04X}), which YAML allows nowhere"
    return f"not YAML: {' '.join(str(error).split())}"


def _reader_position(error: yaml.YAMLError, text: str) -> Position:
    at = getattr(error, "position", 0)
    at = at if isinstance(at, int) else 0
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
