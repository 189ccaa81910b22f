"""Whether the share that fails after retries is that of independent attempts: q^m for m attempts that each fail with q.

A request's attempts are a sequence of draws. Those before the last possible one fail with q; the last one, which only
requests reach that have failed m - 1 times, fails with s; some requests may be given up early (u). So the share that
fails in the end is u + q^(m-1) s, and it differs from q^m by u + q^(m-1) (s - q). Each of the three is bounded by its
own confidence sequence. Counting attempts instead of the few requests that fail in the end decides with half as many
requests."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.verify.interval import VAGUE, Interval, interval, prior_around
from chaos.verify.verdict import Verdict

LAST = 0.8
"""The part of alpha for the last attempts, which are the fewest; the others share the rest."""

NEVER = prior_around(0.0, 0.001)
"""The prior for giving up early, which should not happen at all."""


@dataclass(frozen=True, slots=True)
class Tries:
    """The attempts of a run's requests, at most `most` per request.

    `early_tries` come before the last possible one and `early_failures` of them failed; `last_tries` and
    `last_failures` are last ones. `given_up` of `requests` failed with attempts left."""

    most: int
    requests: int
    early_tries: int
    early_failures: int
    last_tries: int
    last_failures: int
    given_up: int

    @property
    def share(self) -> float:
        """q, estimated from all attempts; 0 without any."""
        tries = self.early_tries + self.last_tries
        return (self.early_failures + self.last_failures) / tries if tries else 0.0

    @property
    def expected(self) -> float:
        """q^m."""
        return float(self.share**self.most)

    @property
    def failed(self) -> int:
        """The number of requests that failed in the end."""
        return self.last_failures + self.given_up


@dataclass(frozen=True, slots=True)
class Residual:
    """The share that fails in the end: its interval, and the bounds of its difference to q^m."""

    share: Interval
    excess_low: float
    excess_high: float

    def assess(self, reach: float) -> Verdict:
        """Return whether the share is q^m within `reach`."""
        if -reach <= self.excess_low and self.excess_high <= reach:
            return Verdict.VERIFIED
        if self.excess_low > reach or self.excess_high < -reach:
            return Verdict.FALSIFIED
        return Verdict.INCONCLUSIVE


def residual(tries: Tries, alpha: float) -> Residual:
    """Return the share that fails in the end, from the attempts of a run."""
    rest = alpha * (1 - LAST) / 2
    early = interval(VAGUE, tries.early_failures, tries.early_tries, rest)
    last = interval(VAGUE, tries.last_failures, tries.last_tries, alpha * LAST)
    given_up = interval(NEVER, tries.given_up, tries.requests, rest)
    before = tries.most - 1
    gaps = [q**before * (s - q) for s in (last.low, last.high) for q in _turning(early, s, tries.most)]
    share = Interval(
        given_up.low + early.low**before * last.low, min(1.0, given_up.high + early.high**before * last.high)
    )
    return Residual(share, given_up.low + min(gaps), given_up.high + max(gaps))


def _turning(early: Interval, s: float, most: int) -> list[float]:
    """Return the q at which q^(m-1) (s - q) can be least or greatest: the ends of q's interval, and the turning point
    if inside."""
    turn = (most - 1) * s / most
    return [early.low, early.high, *([turn] if turn in early else [])]
