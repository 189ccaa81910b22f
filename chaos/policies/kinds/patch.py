"""The fault *patch*: headers of a response are changed, or its body is replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from pydantic import model_validator

from chaos.mesh.headers.operations import FRAMING, Level
from chaos.mesh.model.message import Message, Text
from chaos.policies.dice import Dice
from chaos.policies.fault import Fault, Happening, Seen, is_changed, is_tagged
from chaos.policies.steps import BODILESS, Headers, Stage, Step
from chaos.policies.values import HeaderNames, HeaderValues, octets

_OF_THE_BODY = FRAMING | {b"content-encoding"}  # another body has its own length, and is not compressed


class PatchedHeaders(Message):
    """Changes to the headers of the response, in Istio's words. Removing comes first, then setting, then adding."""

    set: HeaderValues = {}
    """Overwrite these headers with these values."""
    add: HeaderValues = {}
    """Append a further line for each of these headers."""
    remove: HeaderNames = ()
    """Remove these headers."""

    @model_validator(mode="after")
    def _some(self) -> PatchedHeaders:
        if not (self.set or self.add or self.remove):
            raise ValueError("changes nothing; write set, add or remove")
        return self


class Patch(Fault):
    """Change headers or body of the response."""

    headers: PatchedHeaders | None = None
    """Changes to its headers."""
    body: Text | None = None
    """A text in place of its body. The content-length is the text's, and a content-encoding goes; 204 and 304 stay
    without a body."""

    kind = "patch"
    happened = "patched"

    @model_validator(mode="after")
    def _some(self) -> Patch:
        if self.headers is None and self.body is None:
            raise ValueError("changes nothing; write headers, body, or both")
        return self

    @property
    def changes(self) -> bool:
        return self.body is not None

    def shows(self, seen: Seen, name: str) -> bool | None:
        """Return whether a client got another body than usual; other headers show in the tag alone."""
        return is_changed(seen.policy, name) if self.changes else is_tagged(seen.policy, name)

    @property
    def sentence(self) -> str:
        parts = [*(["changed headers"] if self.headers else []), *(["another body"] if self.body is not None else [])]
        return f"get {' and '.join(parts)}"

    def happen(self, dice: Dice) -> Happening:
        """Return the stage that changes the response."""
        written = self.headers or PatchedHeaders.model_construct()
        removed = frozenset(name.lower().encode() for name in written.remove)
        level = Level(removed, octets(written.set), octets(written.add), frozenset())
        return Happening(stage=Patching(level, None if self.body is None else self.body.encode()))


class Patching(Stage):
    """Applies header operations, and sends another body."""

    def __init__(self, operations: Level, body: bytes | None):
        self._operations, self._body = operations, body

    def head(self, status: int, headers: Headers) -> Headers:
        """Return the changed headers, with the length of the body that will come."""
        if status in BODILESS:
            self._body = None
        if self._body is None:
            return self._operations.apply(headers, _nothing_to_compute)
        kept = [header for header in headers if header[0] not in _OF_THE_BODY]
        kept.append((b"content-length", b"%d" % len(self._body)))
        return self._operations.apply(kept, _nothing_to_compute)

    def body(self, data: bytes) -> Iterator[Step]:
        if self._body is None:
            yield data

    def after(self) -> Iterator[Step]:
        if self._body:
            yield self._body


def _nothing_to_compute(headers: Headers) -> NoReturn:
    raise AssertionError("all values are constants")
