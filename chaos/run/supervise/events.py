"""What can happen while a run goes on, in one queue: the supervisor waits in one place only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LoadSaid:
    """A line of the load process."""

    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """A child ended although nobody stopped it."""

    name: str
    how: str


@dataclass(frozen=True, slots=True)
class SignalArrived:
    """Ctrl-C, SIGTERM or SIGHUP."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time to look at clocks."""


Happening = LoadSaid | ChildEnded | SignalArrived | Tick
