"""The fault *truncate*: the body of a response ends early. Its content-length stays, and the connection closes."""

from __future__ import annotations

from pydantic import model_validator

from chaos.formatting import plural
from chaos.policies.cutting import EndAfter, EndAtShare
from chaos.policies.dice import Dice
from chaos.policies.fault import Fault, Happening
from chaos.policies.steps import End
from chaos.policies.values import Percentage, Size


class Truncate(Fault):
    """Let the body of the response end early."""

    bytes: Size | None = None
    """Bytes of the body that arrive; of a shorter body all but one."""
    share: Percentage | None = None
    """Share of the body that arrives, in percent: `50%`. Of a body in chunks, whose length nobody knows beforehand, it
    is the share of its first 64 KiB."""

    kind = "truncate"
    happened = "truncated"
    errors = ("closed",)

    @model_validator(mode="after")
    def _one(self) -> Truncate:
        if (self.bytes is None) == (self.share is None):
            raise ValueError("needs either bytes or share: how much of the body arrives")
        if self.share == 100:
            raise ValueError("a share of 100% is the whole body; write less")
        return self

    @property
    def sentence(self) -> str:
        passed = f"{self.share:g} %" if self.share is not None else plural(self.bytes or 0, "byte")
        return f"get a body that ends after {passed}"

    def happen(self, dice: Dice) -> Happening:
        """Return the stage that ends the body."""
        if self.share is not None:
            return Happening(stage=EndAtShare(self.share, End.CLOSE))
        return Happening(stage=EndAfter(self.bytes or 0, End.CLOSE))
