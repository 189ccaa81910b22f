"""The fault *status*: the gateway answers in place of upstream, with headers and a body: 429 with Retry-After."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from chaos.mesh.model.message import Text
from chaos.policies.dice import Dice
from chaos.policies.fault import Answer, Fault, Happening, Seen, is_tagged
from chaos.policies.values import HeaderValues, octets
from chaos.statuses import shown

StatusCode = Annotated[int, Strict(), Field(ge=200, le=599)]


class Status(Fault):
    """Answer with a status."""

    code: StatusCode
    """The HTTP status."""
    headers: HeaderValues = {}
    """Headers of the response."""
    body: Text = ""
    """Body of the response."""

    kind = "status"
    happened = "answered"
    scopes = ("downstream", "upstream")

    @property
    def sentence(self) -> str:
        return f"get {shown(self.code)}"

    @property
    def title(self) -> str:
        return f"status {self.code}"

    @property
    def did(self) -> str:
        return f"were answered with {shown(self.code)}"

    @property
    def ends(self) -> bool:
        return True

    @property
    def last_status(self) -> int:
        return self.code

    def happen(self, dice: Dice) -> Happening:
        """Return the answer."""
        return Happening(instead=Answer(self.code, octets(self.headers), self.body.encode()))

    def shows(self, seen: Seen, name: str) -> bool:
        """Return whether a client got the status from this policy."""
        return seen.status == self.code and is_tagged(seen.policy, name)
