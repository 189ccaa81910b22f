"""Simulated traffic in the recorder's own digests: a second of it costs the same for a thousand requests and a million.

Outcomes are drawn as counts and latencies as buckets. Python's own `random()` keeps its sequence for a seed from
version to version, so pages made from such a run can be pinned."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from random import Random
from statistics import NormalDist

from chaos.protocol.digest import Digest, Key, Tally
from chaos.protocol.histogram import Histogram, bucket_of

SAMPLED = 400
"""Latencies drawn one by one for an outcome of a second; a larger count is spread over the buckets these fell into."""


class Dice:
    """Counts and latencies from a seed."""

    def __init__(self, seed: int):
        self.random = Random(seed).random

    def binomial(self, n: int, p: float) -> int:
        """How many of n; one by one up to 100, by the normal approximation beyond."""
        if n <= 0 or p <= 0:
            return 0
        if p >= 1:
            return n
        if n <= 100:
            return sum(self.random() < p for _ in range(n))
        drawn = n * p + math.sqrt(n * p * (1 - p)) * NormalDist().inv_cdf(min(max(self.random(), 1e-9), 1 - 1e-9))
        return min(n, max(0, round(drawn)))

    def split(self, n: int, parts: int) -> list[int]:
        """n shared out evenly among so many."""
        counts = []
        for left in range(parts, 1, -1):
            counts.append(self.binomial(n - sum(counts), 1 / left))
        return [*counts, n - sum(counts)]

    def latency(self, centre: float) -> int:
        """Microseconds: a little more than `centre` seconds, one in a hundred a good deal more."""
        noise = math.exp(-9.2 + 0.5 * NormalDist().inv_cdf(min(max(self.random(), 1e-9), 1 - 1e-9)))
        if self.random() < 0.01:
            noise -= 0.004 * math.log(1 - self.random())
        return int((centre + noise) * 1e6)

    def latencies(self, count: int, centre: float) -> Histogram:
        """`count` of them."""
        drawn = Counter(bucket_of(self.latency(centre)) for _ in range(min(count, SAMPLED)))
        if count <= SAMPLED:
            return Histogram(dict(drawn))
        scaled = {bucket: number * count // SAMPLED for bucket, number in drawn.items()}
        middle = sorted(scaled)[len(scaled) // 2]
        scaled[middle] += count - sum(scaled.values())
        return Histogram(scaled)


def add(digest: Digest, dice: Dice, key: Key, count: int, centre: float, *, open_model: bool = False) -> None:
    """Count so many requests of one outcome, around `centre` seconds each; in an open model 0.4 ms after they were
    due."""
    if count:
        due = dice.latencies(count, centre + 0.0004) if open_model else None
        tally = digest.tallies.setdefault(key, Tally(Histogram(), Histogram() if open_model else None))
        tally.merge(Tally(dice.latencies(count, centre), due))


def shares(dice: Dice, size: int, abort: float, lost: float, parts: Sequence[str]) -> tuple[int, int, list[int]]:
    """How many of `size` are aborted, lost, and forwarded to each of the parts."""
    aborted = dice.binomial(size, abort)
    missing = dice.binomial(size - aborted, lost)
    return aborted, missing, dice.split(size - aborted - missing, len(parts))
