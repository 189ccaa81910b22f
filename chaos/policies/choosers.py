"""Choose which requests meet a fault by their order or by time, instead of by a share of them.

A chooser has a state, which begins anew with each phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chaos.policies.dice import Dice


class Chooser(Protocol):
    """Chooses which requests meet a fault."""

    def meets(self, seconds: float, dice: Dice) -> bool:
        """Return whether the next request does, so many seconds after its policy has come into force."""


class First:
    """The first `count` requests."""

    def __init__(self, count: int):
        self._left = count

    def meets(self, seconds: float, dice: Dice) -> bool:
        self._left -= 1
        return self._left >= 0


class Every:
    """Each `step`th request."""

    def __init__(self, step: int):
        self._step = step
        self._come = 0

    def meets(self, seconds: float, dice: Dice) -> bool:
        self._come += 1
        return self._come % self._step == 0


@dataclass(frozen=True, slots=True)
class Window:
    """Every request for `length` seconds, once `after` is over, and again each `every` seconds."""

    after: float
    length: float
    every: float | None

    def meets(self, seconds: float, dice: Dice) -> bool:
        since = seconds - self.after
        if self.every is not None and since >= 0:
            since %= self.every
        return 0 <= since < self.length


@dataclass(frozen=True, slots=True)
class Growing:
    """A share that goes from `first` to `last`, fractions, while `over` seconds pass."""

    over: float
    first: float
    last: float

    def share(self, seconds: float) -> float:
        """Return the share of the requests after so many seconds."""
        return self.first + (self.last - self.first) * min(1.0, seconds / self.over)

    def meets(self, seconds: float, dice: Dice) -> bool:
        return dice("ramp") < self.share(seconds)


class Beyond:
    """What exceeds `rate` requests per second: a bucket of `burst` tokens, full at first, from which each request that
    is spared takes one."""

    def __init__(self, rate: float, burst: int):
        self._rate, self._burst = rate, burst
        self._tokens, self._at = float(burst), 0.0

    def meets(self, seconds: float, dice: Dice) -> bool:
        self._tokens = min(self._burst, self._tokens + (seconds - self._at) * self._rate)
        self._at = seconds
        if self._tokens + 1e-9 < 1:
            return True
        self._tokens -= 1
        return False
