"""The fault *reset*: the connection is reset (TCP RST), in place of a response or after some bytes of its body."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.policies.cutting import EndAfter, after_bytes, bytes_of_an_attempt
from chaos.policies.dice import Dice
from chaos.policies.fault import Fault, Happening, Objection, Scope
from chaos.policies.steps import End
from chaos.policies.values import Size


class Reset(Fault):
    """Reset the connection."""

    bytes: Size | None = None
    """After so many bytes of the response's body, or all but one of a shorter body; without it, in place of a response:
    nothing is forwarded."""

    kind = "reset"
    happened = "reset"
    scopes = ("downstream", "upstream")
    errors = ("reset",)

    @property
    def sentence(self) -> str:
        return f"have their connection reset{after_bytes(self.bytes)}"

    def objections(self, percentage: float, scope: Scope) -> Iterator[Objection]:
        """Yield that an attempt's response does not end after some bytes."""
        return bytes_of_an_attempt(self.kind, self.bytes, scope)

    @property
    def ends(self) -> bool:
        return self.bytes is None

    def happen(self, dice: Dice) -> Happening:
        """Return the reset, or the stage that brings it."""
        return Happening(instead=End.RESET) if self.bytes is None else Happening(stage=EndAfter(self.bytes, End.RESET))
