"""The kinds of fault that a rule can have: the one table that whatever lists kinds reads; and faults as configured.

Compiled rules, effects, plans and journals hand the faults of a rule on as one tuple of these values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import combinations
from math import prod
from typing import ClassVar, TypeVar

from chaos.statuses import is_grpc, shown
from chaos.units import Percent, format_duration


class FaultKind(StrEnum):
    """A kind of fault, in the order in which a request meets them: it is late before it is aborted.

    The value is its name wherever it is written: the field in Istio's `fault`, the tag on responses, journals, the
    admin API. `happened` is the word for a request that met it; `of_forwarded` says that only requests which are
    forwarded can meet it. A kind's place gives its colour in figures."""

    happened: str
    of_forwarded: bool

    def __new__(cls, name: str, happened: str = "", of_forwarded: bool = False) -> FaultKind:
        made = str.__new__(cls, name)
        made._value_ = name
        made.happened, made.of_forwarded = happened, of_forwarded
        return made

    DELAY = "delay", "delayed"
    ABORT = "abort", "aborted"


NAMES = tuple(kind.value for kind in FaultKind)
"""The names as plain texts, for what is counted and written many times."""


def tag_of(kinds: Iterable[FaultKind]) -> str:
    """Return how `x-chaos-fault` names these faults of one request, in the table's order: `delay,abort`."""
    met = set(kinds)
    return ",".join(kind for kind in FaultKind if kind in met)


TAGS = tuple(tag_of(kinds) for size in range(1, len(FaultKind) + 1) for kinds in combinations(FaultKind, size))
"""What `x-chaos-fault` may say: each kind alone, then what one request can meet together."""


def joined(kind: FaultKind) -> dict[str, str]:
    """Return, by the tag of what a request has met already, its tag once it meets this kind, too."""
    return {tag: tag_of([kind, *map(FaultKind, tag.split(","))] if tag else [kind]) for tag in ("", *TAGS)}


def count_of(fault: str, by_tag: Mapping[str, int]) -> int:
    """Return how many requests met a kind of fault (or all kinds of a tag), alone or with others; `by_tag` are counts
    by tag."""
    asked = set(fault.split(","))
    return sum(count for tag, count in by_tag.items() if asked <= set(tag.split(",")))


def happened(tag: str) -> str:
    """Return what happened to a request with one of `TAGS`: `delayed, then aborted`."""
    return ", then ".join(FaultKind(name).happened for name in tag.split(","))


# ---------------------------------------------------------------------------------------------- of one rule


@dataclass(frozen=True, slots=True)
class _Configured(ABC):
    """One fault as a rule configures it. What a subclass adds are the parameters of its kind."""

    kind: ClassVar[FaultKind]
    ends: ClassVar[bool] = False
    """Whether a request that meets it is answered at once, and not forwarded."""

    percent: Percent

    @property
    def share(self) -> float:
        """The fraction of the requests that meet it, 0.0 for a fault that never fires."""
        return self.percent.fraction

    @property
    def parameters(self) -> dict[str, float | None]:
        """What its kind needs to be told, by name: the delay's `seconds`."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "percent"}

    @property
    @abstractmethod
    def sentence(self) -> str:
        """What its requests do, after `50 % of the requests`: `wait 5s`."""


@dataclass(frozen=True, slots=True)
class DelayFault(_Configured):
    kind = FaultKind.DELAY
    seconds: float

    @property
    def sentence(self) -> str:
        return f"wait {format_duration(self.seconds)}"


@dataclass(frozen=True, slots=True)
class AbortFault(_Configured):
    """`status` is what an HTTP client sees: 200 for an abort with a gRPC status; as gRPC clients meet it, theirs
    (chaos/statuses.py)."""

    kind = FaultKind.ABORT
    ends = True
    status: int
    grpc_status: int | None = None

    @property
    def sentence(self) -> str:
        only = self.grpc_status is None or is_grpc(self.status)
        return f"get {shown(self.status)}" + ("" if only else f", a gRPC client grpc-status {self.grpc_status}")


RuleFault = DelayFault | AbortFault
"""A fault of a rule, of any kind."""

Kind = TypeVar("Kind", bound=RuleFault)


def spared(faults: Iterable[RuleFault]) -> float:
    """Return the fraction of a rule's requests that no fault ends, because faults are drawn independently."""
    return prod(1 - fault.share for fault in faults if fault.ends)


def fault_of(faults: Iterable[RuleFault], kind: type[Kind]) -> Kind | None:
    """Return the fault of this kind among those of a rule, or None."""
    return next((fault for fault in faults if isinstance(fault, kind)), None)
