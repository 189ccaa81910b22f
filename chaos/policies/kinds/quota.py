"""The fault *quota*: requests beyond a rate get 429, as from a server that limits its clients."""

from __future__ import annotations

from functools import cached_property
from math import ceil
from typing import Annotated

from pydantic import Field, Strict

from chaos.mesh.model.message import Text
from chaos.policies.choosers import Beyond, Chooser
from chaos.policies.dice import Dice
from chaos.policies.fault import Fault, Happening, Seen
from chaos.policies.kinds.status import Status, StatusCode
from chaos.policies.values import Count, HeaderValues


class Quota(Fault):
    """Answer what exceeds a rate."""

    rate: Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
    """Requests per second that pass."""
    burst: Count | None = None
    """Requests that may pass at once, after a while without any; by default as many as pass in a second."""
    status: StatusCode = 429
    """What the others get."""
    headers: HeaderValues = {"retry-after": "1"}
    """Headers of their response."""
    body: Text = ""
    """Body of their response."""

    kind = "quota"
    happened = "refused"
    scopes = ("downstream", "upstream")
    claim = "quota"

    @cached_property
    def answer(self) -> Status:
        """What requests beyond the rate get."""
        return Status(code=self.status, headers=self.headers, body=self.body)

    @property
    def counts(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return f"quota of {self.rate:g} a second"

    @property
    def did(self) -> str:
        return self.answer.did

    @property
    def last_status(self) -> int:
        return self.status

    @property
    def ends(self) -> bool:
        return True

    @property
    def sentence(self) -> str:
        return f"{self.answer.sentence} beyond {self.rate:g} a second"

    def happen(self, dice: Dice) -> Happening:
        """Return the answer."""
        return self.answer.happen(dice)

    def shows(self, seen: Seen, name: str) -> bool:
        """Return whether a client got the status from this policy."""
        return self.answer.shows(seen, name)

    def chooser(self) -> Chooser:
        """Return a full bucket."""
        return Beyond(self.rate, self.burst or max(1, ceil(self.rate)))
