"""The fault *reset*: the connection is reset (TCP RST), in place of a response or after some bytes of its body."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.formatting import plural
from chaos.policies.dice import Dice
from chaos.policies.fault import Fault, Happening
from chaos.policies.steps import End, Stage, Step
from chaos.policies.values import Size


class Reset(Fault):
    """Reset the connection."""

    bytes: Size | None = None
    """After so many bytes of the response's body; without it, in place of a response: nothing is forwarded."""

    kind = "reset"
    happened = "reset"
    scopes = ("downstream", "upstream")
    errors = ("reset",)
    tagged = False  # a reset may overtake the bytes before it

    @property
    def sentence(self) -> str:
        where = "" if self.bytes is None else f" after {plural(self.bytes, 'byte')} of the body"
        return f"have their connection reset{where}"

    def happen(self, dice: Dice) -> Happening:
        """Return the reset, or the stage that brings it."""
        return Happening(instead=End.RESET) if self.bytes is None else Happening(stage=EndAfter(self.bytes, End.RESET))


class EndAfter(Stage):
    """Lets `left` bytes of the body pass, and ends the connection."""

    def __init__(self, left: int, end: End):
        self._left, self._end = left, end

    def body(self, data: bytes) -> Iterator[Step]:
        passed = data[: self._left]
        self._left -= len(passed)
        if passed:
            yield passed
        if not self._left:
            yield self._end

    def after(self) -> Iterator[Step]:
        yield self._end
