"""Requests on paper whose tries fail, are retried, given up, or tried again: what a run would count of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from chaos.verify.retries import Tries, assess
from chaos.verify.verdict import Verdict


@dataclass
class SimulatedTries:
    """Try j fails with `failing[j]`; a share `given_up[j]` of the failed ones is not retried, and a share `again` of
    the last ones is, although it may not be."""

    failing: Sequence[float]
    given_up: Sequence[float] = ()
    again: float = 0.0
    requests: int = 0
    counts: list[list[int]] = field(default_factory=list)

    def grow(self, requests: int, random: np.random.Generator) -> None:
        """Send so many more requests."""
        self.counts = self.counts or [[0, 0, 0] for _ in self.failing]
        self.requests += requests
        reached = requests
        for place, (share, counts) in enumerate(zip(self.failing, self.counts, strict=True)):
            failed = int(random.binomial(reached, share))
            astray = int(random.binomial(failed, self._astray(place)))
            for index, count in enumerate((reached, failed, astray)):
                counts[index] += count
            reached = failed - astray

    def _astray(self, place: int) -> float:
        if place + 1 == len(self.failing):
            return self.again
        return self.given_up[place] if self.given_up else 0.0

    def tries(self) -> Tries:
        """Return the counts so far. What is tried again ends well."""
        tried, failed, astray = (tuple(column) for column in zip(*self.counts, strict=True))
        left = sum(astray[:-1]) + failed[-1] - astray[-1]
        return Tries(self.requests, tried, failed, (*astray[:-1], 0), astray[-1], left)

    def verdict(self, alpha: float, random: np.random.Generator, *, step: int, limit: int) -> Verdict:
        """Return the verdict of a run that is judged every `step` requests and ends with the first, or at `limit`."""
        found = Verdict.NO_TRAFFIC
        while self.requests < limit and not found.decided:
            self.grow(step, random)
            found = assess(self.tries(), alpha)
        return found
