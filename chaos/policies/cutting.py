"""Stages that end a connection before its response is complete, for the faults that do: reset, close, stall, truncate.

What is cut never arrives whole, so that each client can tell: at least the last byte of the body is missing, or the
last chunk; a response that has no body (HEAD, 204, 304, a length of 0) is missing altogether."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.formatting import plural
from chaos.policies.fault import Objection, Scope
from chaos.policies.steps import End, Headers, Stage, Step, announced_length

WINDOW = 64 * 1024  # bytes of a body in chunks that a share is taken of


def after_bytes(count: int | None) -> str:
    """Return ` after 3 bytes of the body`, for people; empty for None."""
    return "" if count is None else f" after {plural(count, 'byte')} of the body"


def bytes_of_an_attempt(kind: str, count: int | None, scope: Scope) -> Iterator[Objection]:
    """Yield that an attempt does not end after so many bytes: what has been answered, in part, is not retried."""
    if scope == "upstream" and count is not None:
        message = "a response that has begun is not retried; leave bytes out, or scope"
        yield Objection(("fault", kind, "bytes"), message)


class EndAfter(Stage):
    """Lets `left` bytes of the body pass, and ends the connection."""

    def __init__(self, left: int, end: End):
        self._left, self._end = left, end

    def head(self, status: int, headers: Headers) -> Headers:
        """Return the headers as they are: the length that they announce stays."""
        length = announced_length(headers)
        if length:
            self._left = min(self._left, length - 1)
        return headers

    def bodiless(self) -> Iterator[Step]:
        yield self._end

    def body(self, data: bytes) -> Iterator[Step]:
        passed = data[: self._left]
        self._left -= len(passed)
        if passed:
            yield passed
        if not self._left:
            yield self._end

    def after(self) -> Iterator[Step]:
        yield self._end


class EndAtShare(EndAfter):
    """Lets a share of the body pass, in percent, and ends the connection.

    A body in chunks has no length: its first bytes, at most `WINDOW`, are held back until there are as many or the body
    ends, and the share is one of these."""

    def __init__(self, share: float, end: End):
        super().__init__(0, end)
        self._share = share
        self._held: bytearray | None = None

    def head(self, status: int, headers: Headers) -> Headers:
        """Return the headers as they are."""
        length = announced_length(headers)
        if length is None:
            self._held = bytearray()
        else:
            self._left = self._part(length)
        return super().head(status, headers)

    def body(self, data: bytes) -> Iterator[Step]:
        if self._held is None:
            yield from super().body(data)
            return
        self._held += data[: WINDOW - len(self._held)]
        if len(self._held) == WINDOW:
            yield from self.after()

    def after(self) -> Iterator[Step]:
        if self._held:
            yield bytes(self._held[: self._part(len(self._held))])
        yield self._end

    def _part(self, length: int) -> int:
        return int(length * self._share / 100)
