"""The fault *dribble*: the body of a response comes in pieces, spread over a time."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.formatting import plural
from chaos.policies.dice import Dice
from chaos.policies.fault import Fault, Happening
from chaos.policies.steps import Headers, Pause, Stage, Step
from chaos.policies.values import Count, Span
from chaos.units import format_duration


class Dribble(Fault):
    """Let the body of a response come in pieces."""

    chunks: Count
    """The number of pieces: as long as each other, if the response's length is known; else as they come."""
    over: Span
    """The time over which they are spread."""

    kind = "dribble"
    happened = "dribbled"

    @property
    def shortest(self) -> float:
        return self.over

    @property
    def sentence(self) -> str:
        return f"get their response in {plural(self.chunks, 'piece')} over {format_duration(self.over)}"

    def happen(self, dice: Dice) -> Happening:
        """Return the stage that makes the pieces."""
        return Happening(stage=InPieces(self.chunks, self.over))


class InPieces(Stage):
    """Lets the body pass in `pieces` over so many `seconds`, with a pause before each."""

    def __init__(self, pieces: int, seconds: float):
        self._pieces, self._seconds = pieces, seconds
        self._length: int | None = None  # of the body; None if it is not known
        self._passed = 0  # bytes
        self._begun = 0  # pieces

    def head(self, status: int, headers: Headers) -> Headers:
        """Learn how long the body is. One that is shorter than the pieces are many comes in single bytes."""
        self._length = next((int(value) for name, value in headers if name == b"content-length"), None)
        if self._length:
            self._pieces = min(self._pieces, self._length)
        return headers

    def body(self, data: bytes) -> Iterator[Step]:
        if self._length is None:
            if self._begun < self._pieces:
                self._begun += 1
                yield self._pause(1)
            yield data
            return
        while data:
            end = self._begun * self._length // self._pieces
            if self._passed == end and self._begun < self._pieces:
                self._begun += 1
                end = self._begun * self._length // self._pieces
                yield self._pause(1)
            piece, data = data[: end - self._passed], data[end - self._passed :]
            self._passed += len(piece)
            yield piece

    def after(self) -> Iterator[Step]:
        """Wait for what is left of the time: fewer pieces have come than were to."""
        if self._length is None and self._begun < self._pieces:
            yield self._pause(self._pieces - self._begun)

    def _pause(self, pieces: int) -> Pause:
        return Pause(pieces * self._seconds / self._pieces)
