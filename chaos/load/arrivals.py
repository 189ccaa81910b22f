"""When the requests of an open model are due: evenly, or as a Poisson process, whose gaps are exponential.

The time of a request is a function of its number and the seed, so that a run repeats, whatever processes send it."""

from __future__ import annotations

from itertools import accumulate
from random import Random
from typing import Protocol

BLOCK = 1024
"""Gaps that are drawn together; the times inside of a block are computed again when they are asked for."""


class Arrivals(Protocol):
    def due(self, number: int) -> float:
        """Return when a request is due, in seconds after the load began."""
        ...


class Even:
    """One request every `1 / rate` seconds; all at once without a rate."""

    def __init__(self, rate: float | None):
        self._interval = 1 / rate if rate else 0.0

    def due(self, number: int) -> float:
        return number * self._interval


class Poisson:
    """A Poisson process of `rate` requests per second: arrivals that know nothing of each other, like those of many
    users. `_begins` has when each block begins; `_block` are the times of one block after its begin."""

    def __init__(self, rate: float, seed: int):
        self._rate, self._seed = rate, seed
        self._begins = [0.0]
        self._number, self._block = 0, self._times(0)

    def due(self, number: int) -> float:
        block, place = divmod(number, BLOCK)
        while len(self._begins) <= block:
            self._open(len(self._begins) - 1)
            self._begins.append(self._begins[-1] + self._block[-1])
        self._open(block)
        return self._begins[block] + self._block[place]

    def _open(self, number: int) -> None:
        if number != self._number:
            self._number, self._block = number, self._times(number)

    def _times(self, number: int) -> list[float]:
        draw = Random(f"arrivals/{self._seed}/{number}").expovariate
        return list(accumulate(draw(self._rate) for _ in range(BLOCK)))


def arrivals_of(kind: str, rate: float | None, seed: int) -> Arrivals:
    """Return the arrivals of a plan."""
    return Poisson(rate, seed) if kind == "poisson" and rate else Even(rate)
