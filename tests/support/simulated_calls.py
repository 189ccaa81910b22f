"""Users and the calls that they cost, second by second: steady, in storms, and alike from one second to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Calls = Callable[[int, np.random.Generator], tuple[Array, Array]]
"""Returns calls and user requests of each of so many seconds."""

USERS = 200  # requests per second


def steady(ratio: float) -> Calls:
    """Every user request costs so many calls on average, whatever the others do."""

    def made(seconds: int, random: np.random.Generator) -> tuple[Array, Array]:
        users = random.poisson(USERS, seconds)
        return users + random.poisson(users * (ratio - 1)), users

    return made


def storms(calm: float, storm: float, share: float, length: float) -> Calls:
    """A share of the time is stormy; a storm lasts `length` seconds on average."""

    def made(seconds: int, random: np.random.Generator) -> tuple[Array, Array]:
        stormy, now = np.zeros(seconds, bool), random.random() < share
        for second in range(seconds):
            stormy[second] = now
            now = random.random() >= 1 / length if now else random.random() < share / (1 - share) / length
        users = random.poisson(USERS, seconds)
        return random.poisson(users * np.where(stormy, storm, calm)), users

    return made


def alike(ratio: float, likeness: float) -> Calls:
    """The logarithm of what a request costs is an autoregressive series over the seconds."""

    def made(seconds: int, random: np.random.Generator) -> tuple[Array, Array]:
        level = np.zeros(seconds)
        level[0] = random.normal()
        for second in range(1, seconds):
            level[second] = likeness * level[second - 1] + np.sqrt(1 - likeness**2) * random.normal()
        users = random.poisson(USERS, seconds)
        return random.poisson(users * ratio * np.exp(0.4 * level - 0.08)), users

    return made


def in_stretches(calls: Array, users: Array, length: int = 5) -> list[tuple[float, float]]:
    """Return the sums of both over stretches of so many seconds."""
    whole = len(users) // length * length
    sums = (each[:whole].reshape(-1, length).sum(1).tolist() for each in (calls, users))
    return [(float(over), float(under)) for over, under in zip(*sums, strict=True)]
