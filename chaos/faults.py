"""The kinds of fault that a rule can have: the one table that whatever lists kinds reads."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import combinations


class FaultKind(StrEnum):
    """A kind of fault, in the order in which a request meets them: it is late before it is aborted.

    The value is its name wherever it is written: the field in Istio's `fault`, the tag on responses, journals, the
    admin API. `happened` is the word for a request that met it. A kind's place gives its colour in figures."""

    happened: str

    def __new__(cls, name: str, happened: str = "") -> FaultKind:
        made = str.__new__(cls, name)
        made._value_ = name
        made.happened = happened
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


def happened(tag: str) -> str:
    """Return what happened to a request with one of `TAGS`: `delayed, then aborted`."""
    return ", then ".join(FaultKind(name).happened for name in tag.split(","))
