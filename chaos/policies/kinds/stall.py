"""The fault *stall*: a response begins and never ends. Its connection stays open, until the client gives up."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.policies.cutting import EndAfter, after_bytes, bytes_of_an_attempt
from chaos.policies.dice import Dice
from chaos.policies.fault import Fault, Happening, Objection, Scope
from chaos.policies.steps import End
from chaos.policies.values import Size


class Stall(Fault):
    """Let the response stop."""

    bytes: Size | None = None
    """After so many bytes of the response's body, or all but one of a shorter body; without it, after its head. A
    response that has no body stops before its head; an attempt (scope upstream) gets no answer at all."""

    kind = "stall"
    happened = "stalled"
    scopes = ("downstream", "upstream")
    errors = ("timeout",)

    @property
    def sentence(self) -> str:
        return f"get a response that stops{after_bytes(self.bytes or None) or ' after its head'}"

    def objections(self, percentage: float, scope: Scope) -> Iterator[Objection]:
        """Yield that an attempt's response does not end after some bytes."""
        return bytes_of_an_attempt(self.kind, self.bytes, scope)

    def happen(self, dice: Dice) -> Happening:
        """Return the stage that stops the response."""
        return Happening(stage=EndAfter(self.bytes or 0, End.SILENCE))

    def attempt(self, dice: Dice) -> Happening:
        """Return the silence in place of an answer: timeouts and retries end it."""
        return Happening(instead=End.SILENCE)
