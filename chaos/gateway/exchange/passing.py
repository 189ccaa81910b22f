"""A response's bytes as they are about to be sent, taken apart into head and body again, for the faults of policies.

The exchange frames a response once, for all clients; what a fault does to its body has to come before the framing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from chaos.gateway.exchange.wire import CRLF, END_OF_HEAD, FIELD, LAST_CHUNK, STATUS_LINES, chunk
from chaos.policies.steps import BODILESS, Stage, Step, announced_length


def through(stages: Sequence[Stage], data: bytes) -> Iterator[Step]:
    """Yield what becomes of some bytes of a body that pass one stage after the other."""
    if not stages:
        if data:  # an empty chunk would be the last one
            yield data
        return
    for step in stages[0].body(data):
        if isinstance(step, bytes):
            yield from through(stages[1:], step)
        else:
            yield step


def ends(stages: Sequence[Stage]) -> Iterator[Step]:
    """Yield what happens after the last byte of a body."""
    for place, stage in enumerate(stages):
        for step in stage.after():
            if isinstance(step, bytes):
                yield from through(stages[place + 1 :], step)
            else:
                yield step


class Passing:
    """One response on its way. `take` is given the bytes that the exchange writes, and yields those for the client, in
    between what the stages do. `line` is added to the head."""

    def __init__(self, stages: Sequence[Stage], line: bytes, *, head_only: bool):
        self._stages = tuple(stages)
        self._line = line
        self._head_only = head_only
        self._rest = b""  # of a head, or of a chunk's length, that is not complete
        self._left: int | None = 0  # bytes of the body that are still to come; None for chunks
        self._framed: Callable[[Step], Step] = _as_it_is  # how steps of the body go out
        self._bodiless = False
        self._chunk = 0  # bytes of the present chunk that are still to come, with its line end
        self.in_head = True
        self.complete = False

    def take(self, data: bytes) -> Iterator[Step]:
        """Yield what becomes of these bytes."""
        data, self._rest = self._rest + data if self._rest else data, b""
        while self.in_head and data:
            head, end, after = data.partition(END_OF_HEAD)
            if not end:
                self._rest = data
                return
            data = after
            yield from self._take_head(head)
        if self.in_head:
            return
        if self._left is None:
            yield from self._take_chunks(data)
        elif not self.complete:
            self._left -= len(data)
            yield from map(self._framed, through(self._stages, data) if data else ())
            if self._left <= 0:
                yield from self._end()

    def _take_head(self, head: bytes) -> Iterator[Step]:
        first, *lines = head.split(CRLF)
        status = int(first.split(b" ", 2)[1])
        if status < 200:
            yield head + END_OF_HEAD
            return
        self.in_head = False
        headers = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        self._bodiless = self._head_only or status in BODILESS
        self._left = 0 if self._bodiless else announced_length(headers)
        for stage in self._stages:
            yield from stage.before()
            headers = stage.head(status, headers)
            if self._bodiless or announced_length(headers) == 0:
                yield from stage.bodiless()
        yield STATUS_LINES[status] + b"".join([FIELD(header) + CRLF for header in headers]) + self._line + CRLF
        if announced_length(headers) is None and not self._bodiless:
            self._framed = _chunked

    def _take_chunks(self, data: bytes) -> Iterator[Step]:
        while data and not self.complete:
            if not self._chunk:
                length, end, after = data.partition(CRLF)
                if not end:
                    self._rest = data
                    return
                data, self._chunk = after, int(length, 16) + len(CRLF)
                if self._chunk == len(CRLF):
                    yield from self._end()
                    return
            piece, data = data[: self._chunk], data[self._chunk :]
            self._chunk -= len(piece)
            body = piece[: len(piece) - max(0, len(CRLF) - self._chunk)]
            if body:
                yield from map(self._framed, through(self._stages, body))

    def _end(self) -> Iterator[Step]:
        self.complete = True
        for step in ends(self._stages):
            if not (self._bodiless and isinstance(step, bytes)):
                yield self._framed(step)
        if self._framed is _chunked:
            yield LAST_CHUNK


def _as_it_is(step: Step) -> Step:
    return step


def _chunked(step: Step) -> Step:
    return chunk(step) if isinstance(step, bytes) else step
