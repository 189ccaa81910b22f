"""The base class of the faults that a FaultPolicy can have. Each kind is a file in `kinds/`.

A kind says what becomes of a request that meets it (`happen`), and what its client then sees (`shows`): the claim about
the policy counts that, never the gateway's word alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from chaos.mesh.model.message import Message
from chaos.policies.choosers import Chooser
from chaos.policies.dice import Dice
from chaos.policies.distributions import Distribution
from chaos.policies.steps import End, Stage

Scope = Literal["downstream", "upstream"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response in place of one from upstream."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Happening:
    """What becomes of one request that meets a fault: it waits `wait` seconds; then it is answered, or its connection
    ends, `instead` of being forwarded; or else its response passes a `stage`."""

    wait: float = 0.0
    instead: Answer | End | None = None
    stage: Stage | None = None


@dataclass(frozen=True, slots=True)
class Objection:
    """What is wrong with a fault in its policy; `path` leads to the field from the policy's spec."""

    path: tuple[str, ...]
    message: str


class Seen(Protocol):
    """What a client saw of one request: a status (0 without a whole response) or an error (reset, closed, timeout,
    refused, malformed), and the tags of the policies that were in its head."""

    @property
    def status(self) -> int: ...
    @property
    def error(self) -> str: ...
    @property
    def policy(self) -> str: ...


class Fault(Message):
    """A fault of a policy, with its parameters as fields."""

    kind: ClassVar[str]
    """Its name: the field in `spec.fault`, and in journals."""
    happened: ClassVar[str]
    """The word for a request that met it: `reset`."""
    scopes: ClassVar[tuple[Scope, ...]] = ("downstream",)
    """Where it makes sense. Upstream of the retries is an attempt's end; a response that has begun is not retried."""
    errors: ClassVar[tuple[str, ...]] = ()
    """The errors with which clients are left without a whole response by it."""
    claim: ClassVar[str] = "share"
    """What is claimed of it (chaos/claims/kinds): by default the share of the requests that meet it."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """What its requests do, after `30 % of the requests`: `have their connection reset`."""

    @property
    def counts(self) -> bool:
        """Whether it counts requests, so that several processes would each have a count of their own."""
        return False

    def choice(self, of: str) -> str:
        """Return which requests meet it, for people, if its chooser says so and not a share: `the first 3 requests`."""
        return ""

    @property
    def distribution(self) -> Distribution | None:
        """How long its requests wait; None if it is not a wait."""
        return None

    def objections(self, percentage: float, scope: Scope) -> Iterator[Objection]:
        """Yield what is wrong with it in a policy of this percentage and scope."""
        return iter(())

    @property
    def title(self) -> str:
        """What is claimed, in a word or two: `reset`."""
        return self.kind

    @property
    def did(self) -> str:
        """What happened to the requests that met it, after `30.1 % of 4 000 requests`: `were reset`."""
        return f"were {self.happened}"

    @property
    def shortest(self) -> float:
        """The seconds that a request which meets it takes at least; 0.0 where time does not tell."""
        return 0.0

    @property
    def slows(self) -> bool:
        """Whether the requests that meet it take longer than others, by a time that depends on their bodies."""
        return False

    @property
    def changes(self) -> bool:
        """Whether it changes the bodies of responses, so that clients have to compare them."""
        return False

    @property
    def ends(self) -> bool:
        """Whether a request that meets it in front of the rules is not forwarded."""
        return False

    @property
    def last_status(self) -> int | None:
        """The status that a client gets when its last attempt met it, beneath the retries; None if none is its own."""
        return 503 if "reset" in self.errors or "closed" in self.errors else 504 if "timeout" in self.errors else None

    @abstractmethod
    def happen(self, dice: Dice) -> Happening:
        """Return what becomes of one request that meets it."""

    def attempt(self, dice: Dice) -> Happening:
        """Return what becomes of one attempt that meets it, in the scope `upstream`."""
        return self.happen(dice)

    def shows(self, seen: Seen, name: str) -> bool | None:
        """Return whether a client saw that its request met the fault of the policy `name`, None if nobody can tell."""
        if self.errors:
            return seen.error in self.errors
        return is_tagged(seen.policy, name)

    def chooser(self) -> Chooser | None:
        """Return a new chooser for a phase; None if each request that is drawn meets it."""
        return None


ALIKE, UNSURE = "=", "?"
MARKS = ALIKE + UNSURE
"""What a client adds to the tag of a response whose body should be another than usual: it is not, or nobody can tell,
because those without a fault are not alike either, or because none has come."""


def is_changed(tag: str, name: str) -> bool | None:
    """Return whether a response that a policy is to change has another body than those that it spares; None if nobody
    can tell."""
    if not is_tagged(tag, name):
        return False
    return None if tag.endswith(UNSURE) else not tag.endswith(ALIKE)


def is_tagged(tag: str, name: str) -> bool:
    """Return whether `x-chaos-policy` names a policy; several are apart by commas."""
    return name == tag or name in tag.rstrip(MARKS).split(",")
