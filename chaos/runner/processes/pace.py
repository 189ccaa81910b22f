"""For how long a gateway process may keep its supervisor waiting."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """For how many seconds a gateway may start, carry out a command of its admin API (`answer`), and `end`."""

    start: float = 30.0
    answer: float = 10.0
    end: float = 0.0
