"""The fault *close*: the connection is closed in an orderly way (TCP FIN), in place of a response or after some
bytes of its body."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.policies.cutting import EndAfter, after_bytes, bytes_of_an_attempt
from chaos.policies.dice import Dice
from chaos.policies.fault import Fault, Happening, Objection, Scope
from chaos.policies.steps import End
from chaos.policies.values import Size


class Close(Fault):
    """Close the connection."""

    bytes: Size | None = None
    """After so many bytes of the response's body, or all but one of a shorter body; without it, in place of a response:
    nothing is forwarded."""

    kind = "close"
    happened = "closed"
    scopes = ("downstream", "upstream")
    errors = ("closed",)

    @property
    def sentence(self) -> str:
        return f"have their connection closed{after_bytes(self.bytes)}"

    @property
    def ends(self) -> bool:
        return self.bytes is None

    def objections(self, percentage: float, scope: Scope) -> Iterator[Objection]:
        """Yield that an attempt's response does not end after some bytes."""
        return bytes_of_an_attempt(self.kind, self.bytes, scope)

    def happen(self, dice: Dice) -> Happening:
        """Return the end, or the stage that brings it."""
        return Happening(instead=End.CLOSE) if self.bytes is None else Happening(stage=EndAfter(self.bytes, End.CLOSE))
