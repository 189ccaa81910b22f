"""Whether retries are made as configured: every try fails as often as the first, and none is left out or added.

Tries are a sequence of draws: try j is made by the requests whose earlier tries failed, and fails with probability s_j.
Failed tries that have retries left are given up by some share, and those that have none are tried again by another. The
claim is that

* every s_j is s_1 = q, give or take half of it,
* what fails in the end is q^m for m tries, give or take half of it,
* at most a tenth of the failed tries is given up with retries left, or tried again with none left.

What fails in the end is at most the product of all s_j and what is given up, U, and at least the product less what is
tried again. So the claim is verified when the likelihood of tries that all fail alike, over that of every truth with a
product beyond its limits, or one s_j beyond its own, is 1/alpha (`chaos.verify.likelihood`), U is at most a tenth of
q^m, and next to nothing is tried again. It is falsified when one of its parts is; the parts share alpha. Either verdict
is wrong with probability alpha at most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import log

from chaos.verify.interval import VAGUE, Interval, interval, log_evidence, prior_around
from chaos.verify.likelihood import Counts, greatest_likelihood
from chaos.verify.verdict import Verdict

HALF = 0.5
"""By how much each try's share, and what fails in the end, may differ from what the first tries say, of itself."""
GIVEN_UP = 0.1
"""Of what should fail in the end: so much may be given up early instead."""
ASTRAY = 0.1
"""Of the failed tries in one place: so many may be given up with retries left, or tried again with none left."""
MAIN, SIDE = 0.8, 0.06
"""Parts of alpha: for the tries, and for each of three bounds beside them."""
NEVER = prior_around(0.0, 0.001)
"""The prior for giving up early, which should not happen at all."""
MOST_REQUESTS = 1_000_000
"""A run of more requests than this is not waited for: the last tries are then made by too few."""


@dataclass(frozen=True, slots=True)
class Tries:
    """The tries of a run's requests, place by place: `tried[0]` first tries, of which `failed[0]` failed, and so on.

    `given_up[j]` of the failed ones were not followed by another, although retries were left; `again` requests were
    tried more often than they may be. `left` of `requests` failed in the end."""

    requests: int
    tried: tuple[int, ...]
    failed: tuple[int, ...]
    given_up: tuple[int, ...]
    again: int
    left: int

    @property
    def most(self) -> int:
        """m, the number of tries that a request may have."""
        return len(self.tried)

    @property
    def share(self) -> float:
        """q, the share of the first tries that failed; 0 without any."""
        return self.failed[0] / self.tried[0] if self.tried[0] else 0.0

    @property
    def expected(self) -> float:
        """q^m."""
        return float(self.share**self.most)

    @property
    def places(self) -> tuple[Counts, ...]:
        """(failed, tried) of each place."""
        return tuple(zip(self.failed, self.tried, strict=True))

    @property
    def astray(self) -> tuple[Counts, ...]:
        """Of each place: how many of its failed tries were given up, or, in the last one, tried again."""
        return tuple(zip((*self.given_up[:-1], self.again), self.failed, strict=True))


def assess(tries: Tries, alpha: float) -> Verdict:
    """Return whether the tries are as the claim says."""
    if not tries.requests:
        return Verdict.NO_TRAFFIC
    if _falsified(tries, alpha):
        return Verdict.FALSIFIED
    return Verdict.VERIFIED if _verified(tries, alpha) else Verdict.INCONCLUSIVE


def share_left(tries: Tries, alpha: float) -> Interval:
    """Return the shares that may fail in the end."""
    return interval(VAGUE, tries.left, tries.requests, alpha)


def requests_needed(tries: Tries, alpha: float) -> int | None:
    """Return by how many requests tries like these, were they as claimed, would be verified; None if by none that is
    worth waiting for."""
    return _needed(float(f"{tries.share:.2g}"), tries.most, alpha)


@lru_cache(maxsize=256)
def _needed(q: float, most: int, alpha: float) -> int | None:
    requests = 500.0
    while q and requests <= MOST_REQUESTS:
        failed = [round(requests * q ** (place + 1)) for place in range(most)]
        tried = (round(requests), *failed[:-1])
        if _verified(Tries(tried[0], tried, tuple(failed), (0,) * most, 0, failed[-1]), alpha):
            return tried[0]
        requests *= 1.25
    return None


def _verified(tries: Tries, alpha: float) -> bool:
    first, given_up = _beside(tries, alpha)
    again = interval(NEVER, tries.again, tries.failed[-1], alpha * SIDE)
    if given_up.high > GIVEN_UP * first.low**tries.most or again.high > ASTRAY:
        return False
    alike = log_evidence(VAGUE, sum(tries.failed), sum(tries.tried))
    return all(alike - other >= -log(alpha * MAIN) for other in _others(tries))


def _beside(tries: Tries, alpha: float) -> tuple[Interval, Interval]:
    """Return the shares of the first tries that may fail, and those of the requests that may be given up."""
    first = interval(VAGUE, *tries.places[0], alpha * SIDE)
    return first, interval(NEVER, sum(tries.given_up), tries.requests, alpha * SIDE)


def _others(tries: Tries) -> Iterator[float]:
    """Yield the greatest log likelihood of each set of truths that the claim is not true of."""
    places = tries.places
    own = [greatest_likelihood([place], [1], -float("inf")) for place in places]
    for other, mine in zip(places[1:], own[1:], strict=True):
        rest = sum(own) - own[0] - mine
        yield rest + greatest_likelihood([places[0], other], [-1, 1], log(1 + HALF))
        yield rest + greatest_likelihood([places[0], other], [1, -1], -log(1 - HALF))
    weights = _against_first(tries)
    yield greatest_likelihood(places, weights, log(1 + HALF - GIVEN_UP))
    yield greatest_likelihood(places, [-each for each in weights], -log((1 - HALF) / (1 - ASTRAY)))


def _against_first(tries: Tries) -> list[int]:
    """Return the weights with which the logarithms of all shares give that of their product over q^m."""
    return [1 - tries.most, *([1] * (tries.most - 1))]


def _falsified(tries: Tries, alpha: float) -> bool:
    return _too_uneven(tries, alpha * MAIN) or _too_many_astray(tries, alpha * SIDE) or _left_otherwise(tries, alpha)


def _too_uneven(tries: Tries, alpha: float) -> bool:
    """Return whether some try fails far more or less often than the first, or all of them together far more."""
    places, least = tries.places, -log(alpha / (2 * tries.most - 1))
    if not places[0][0]:
        return False
    pairs = [([places[0], each], weights, limit) for each in places[1:] for weights, limit in _EVEN]
    together = (list(places), [-each for each in _against_first(tries)], -log((1 + HALF) / (1 - ASTRAY)))
    return any(
        sum(log_evidence(VAGUE, k, n) for k, n in counts) - greatest_likelihood(counts, weights, limit) >= least
        for counts, weights, limit in [*pairs, together]
    )


_EVEN = (([1, -1], -log(1 + HALF)), ([-1, 1], log(1 - HALF)))
"""The limits within which a try's share lies beside the first's."""


def _too_many_astray(tries: Tries, alpha: float) -> bool:
    return any(interval(VAGUE, k, n, alpha / tries.most).low > ASTRAY for k, n in tries.astray)


def _left_otherwise(tries: Tries, alpha: float) -> bool:
    """Return whether what is given up alone is more than may fail in the end, or all that fails is less."""
    first, given_up = _beside(tries, alpha / 2)
    left = interval(VAGUE, tries.left, tries.requests, alpha * SIDE / 2)
    return given_up.low > (1 + HALF) * first.high**tries.most or left.high < (1 - HALF) * first.low**tries.most
