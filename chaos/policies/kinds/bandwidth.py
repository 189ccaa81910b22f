"""The fault *bandwidth*: bodies pass with so many bytes per second."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Literal

from chaos.policies.dice import Dice
from chaos.policies.fault import Fault, Happening
from chaos.policies.steps import Pause, Stage, Step
from chaos.policies.values import Rate

_PIECES = 20  # a second: the rate holds over 100 ms, too
_SHORTEST = 0.005  # seconds of a pause; shorter ones are put together, because timers are late by as much as they wait


class Bandwidth(Fault):
    """Let bodies pass slowly."""

    rate: Rate
    """Bytes per second: `64KB/s`, `1MiB/s` or a whole number."""
    direction: Literal["both", "request", "answer"] = "both"
    """`request`: bodies of requests. `answer`: bodies of responses. `both`: each at this rate."""

    kind = "bandwidth"
    happened = "slowed"

    @property
    def slows(self) -> bool:
        return True

    @property
    def sentence(self) -> str:
        of = {"both": "bodies", "request": "requests' bodies", "answer": "responses' bodies"}[self.direction]
        return f"have their {of} pass at {shown_rate(self.rate)}"

    def happen(self, dice: Dice) -> Happening:
        """Return the stage at whose rate bodies pass."""
        stage = Stage() if self.direction == "request" else AtRate(self.rate)
        stage.upload = None if self.direction == "answer" else self.rate
        return Happening(stage=stage)


class AtRate(Stage):
    """Lets `rate` bytes of the body pass in a second, each once its time is over."""

    def __init__(self, rate: float):
        self._rate, self._piece = rate, max(1, int(rate / _PIECES))
        self._owed = 0.0  # seconds

    def body(self, data: bytes) -> Iterator[Step]:
        for start in range(0, len(data), self._piece):
            piece = data[start : start + self._piece]
            self._owed += len(piece) / self._rate
            if self._owed >= _SHORTEST:
                pause = ceil(self._owed * 1000) / 1000  # timers have whole milliseconds
                self._owed -= pause
                yield Pause(pause)
            yield piece


def shown_rate(rate: float) -> str:
    """Return bytes per second for people: `64 KB/s`."""
    whole = rate % 1024 == 0 and rate % 1000
    for power, unit in ((3, "G"), (2, "M"), (1, "K")):
        size = 1024.0**power if whole else 1000.0**power
        if rate >= size:
            return f"{rate / size:.4g} {unit}{'i' if whole else ''}B/s"
    return f"{rate:.4g} B/s"
