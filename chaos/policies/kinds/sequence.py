"""The fault *sequence*: requests fail by their order or by time: the first ones, each k-th, all in an outage, more and
more of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from pydantic import ValidationInfo, field_validator, model_validator

from chaos.mesh.model.message import Message
from chaos.policies.choosers import Chooser, Every, First, Growing, Window
from chaos.policies.dice import Dice
from chaos.policies.fault import Fault, Happening, Objection, Scope, Seen
from chaos.policies.kinds.status import Status
from chaos.policies.steps import End
from chaos.policies.values import Count, Percentage, Seconds, Span
from chaos.units import Percent, format_duration

_ORDERS = ("first", "every", "outage", "ramp")
_ENDS = ("status", "reset", "close")


class Nothing(Message):
    """It has no parameters: `{}`."""


class Outage(Message):
    """A stretch of time in which every request fails."""

    after: Seconds = 0.0
    """How long after the policy has come into force."""
    for_: Span
    """For how long."""
    every: Span | None = None
    """Again each time that so much has passed since its beginning; by default once."""

    @field_validator("every")
    @classmethod
    def _longer(cls, every: float | None, info: ValidationInfo) -> float | None:
        length = info.data.get("for_")
        if every is not None and length is not None and every <= length:
            raise ValueError(f"an outage of {format_duration(length)} every {format_duration(every)} never ends")
        return every


class Ramp(Message):
    """A share of the requests that changes evenly with time, and then stays."""

    over: Span
    """For how long it changes."""
    from_: Percentage = 0.0
    """The share at first, in percent."""
    to: Percentage = 100.0
    """The share at last, in percent."""


class Sequence(Fault):
    """Fail, by order or by time."""

    first: Count | None = None
    """The first n requests of each phase."""
    every: Count | None = None
    """Each n-th request."""
    outage: Outage | None = None
    """Every request in a stretch of time: `{after: 5s, for: 10s, every: 30s}`."""
    ramp: Ramp | None = None
    """More and more requests: `{over: 30s, from: 0, to: 100}`."""
    status: Status | None = None
    """What they get; by default 503."""
    reset: Nothing | None = None
    """Their connection is reset instead (TCP RST)."""
    close: Nothing | None = None
    """Their connection is closed instead (TCP FIN)."""

    kind = "sequence"
    happened = "failed"
    scopes = ("downstream", "upstream")
    claim = "sequence"

    @model_validator(mode="after")
    def _one(self) -> Sequence:
        orders = [name for name in _ORDERS if getattr(self, name) is not None]
        if len(orders) != 1:
            several = f"{' and '.join(orders)} are {len(orders)} orders" if orders else "no order"
            raise ValueError(f"{several}; write one of {', '.join(_ORDERS)}")
        ends = [name for name in _ENDS if getattr(self, name) is not None]
        if len(ends) > 1:
            raise ValueError(f"{' and '.join(ends)} cannot both happen to a request; write one of {', '.join(_ENDS)}")
        return self

    @cached_property
    def answer(self) -> Status | None:
        """The status that they get; None if their connection ends."""
        return None if self.reset or self.close else self.status or Status(code=503)

    @property
    def errors(self) -> tuple[str, ...]:  # type: ignore[override]  # of this kind they depend on its fields
        return ("reset",) if self.reset else ("closed",) if self.close else ()

    @property
    def counts(self) -> bool:
        return self.first is not None or self.every is not None

    @property
    def did(self) -> str:
        return self.answer.did if self.answer is not None else f"had their connection {self.errors[0]}"

    @property
    def last_status(self) -> int:
        return self.answer.code if self.answer is not None else 503

    @property
    def ends(self) -> bool:
        return True

    @property
    def sentence(self) -> str:
        if self.answer is not None:
            return self.answer.sentence
        return f"have their connection {'reset' if self.reset else 'closed'}"

    def choice(self, of: str) -> str:
        """Return which requests fail, for people."""
        if self.first is not None:
            return f"the first {self.first} {of} of a phase"
        if self.every is not None:
            return f"every {_nth(self.every)} of the {of}"
        if self.outage is not None:
            when = f"from {format_duration(self.outage.after)} for {format_duration(self.outage.for_)}"
            again = f", again every {format_duration(self.outage.every)}," if self.outage.every else ""
            return f"all {of} {when}{again}"
        assert self.ramp is not None
        first, last = Percent.of(self.ramp.from_), Percent.of(self.ramp.to)
        return f"from {first} to {last} of the {of}, over {format_duration(self.ramp.over)},"

    def objections(self, percentage: float, scope: Scope) -> Iterator[Objection]:
        """Yield that a percentage has no meaning beside an order."""
        if percentage != 100:
            yield Objection(("percentage",), "a sequence says which requests fail; leave percentage out")

    def happen(self, dice: Dice) -> Happening:
        """Return the status, or the connection's end."""
        if self.answer is not None:
            return self.answer.happen(dice)
        return Happening(instead=End.RESET if self.reset else End.CLOSE)

    def shows(self, seen: Seen, name: str) -> bool:
        """Return whether a client got the status, or its connection ended so."""
        return self.answer.shows(seen, name) if self.answer is not None else seen.error in self.errors

    def chooser(self) -> Chooser:
        """Return a chooser by the order that is written."""
        if self.first is not None:
            return First(self.first)
        if self.every is not None:
            return Every(self.every)
        if self.outage is not None:
            return Window(self.outage.after, self.outage.for_, self.outage.every)
        assert self.ramp is not None
        return Growing(self.ramp.over, Percent.of(self.ramp.from_).fraction, Percent.of(self.ramp.to).fraction)


def _nth(number: int) -> str:
    last = 0 if 10 < number % 100 < 14 else number % 10
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"
