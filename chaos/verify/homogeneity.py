"""Whether a share that is right overall is right in its parts: over tasks, connections, destinations and time.

The null hypothesis is what a proxy's random draws promise: every request is drawn independently with the same
probability, which lies in the claimed range. Against it stand alternatives with a likelihood of their own, mixed with
weights that are fixed beforehand. The mean likelihood of the alternatives over the greatest likelihood of the null is
an e-value at every moment at once (universal inference: Wasserman, Ramdas and Balakrishnan 2020), so it reaches
1/alpha with probability alpha at most, however often it is checked, when the null is true.

All functions return the natural log of such an e-value. Refuted: it is -log(alpha) or more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, lgamma, log, sqrt

from chaos.verify.interval import VAGUE, log_beta, log_evidence, log_likelihood, log_sum

Parts = Mapping[tuple[int, int], int]
"""(k, n) -> how many parts had k hits in n requests."""

SPREADS = (0.1, 0.2, 0.4, 0.8)
"""Standard deviations of the parts' own shares in the alternatives, relative to the greatest possible one: that of
shares which are all 0 or 1. At 50 % these are 5, 10, 20 and 40 points."""

SHARPNESS = (1.5, 2.0, 4.0, 16.0)
"""How much more regular than chance the parts are in the alternatives: powers of the binomial probability."""

PULLS = (0.0125, 0.025, 0.05, 0.1)
"""By how much of 1 a request is less likely to be hit for each hit that there were too many of late, in the
alternatives. A shuffled deck of 200 pulls by 0.0125, one of 100 by 0.025, one of ten by 0.1."""

CENTRES = 5
"""Common shares tried in the alternatives, across the claimed range."""


@dataclass(frozen=True, slots=True)
class Range:
    """The proportions that a claim allows."""

    low: float
    high: float

    def centres(self) -> list[float]:
        """Return CENTRES shares inside, without 0 and 1."""
        steps = [self.low + (self.high - self.low) * (2 * i + 1) / (2 * CENTRES) for i in range(CENTRES)]
        return [share for share in steps if 0 < share < 1] or [0.5]

    def likeliest(self, k: float, n: float) -> float:
        """Return the log of the greatest likelihood of k in n for a share in the range."""
        return log_likelihood(min(self.high, max(self.low, k / n)), k, n) if n else 0.0


def unequal(parts: Parts, allowed: Range) -> float:
    """Return the evidence that the parts have shares of their own, all scattered around a common one."""
    k, n = _totals(parts)
    if not n:
        return 0.0
    alternatives = [
        sum(count * _beta_binomial(part, centre, spread) for part, count in parts.items())
        for centre in allowed.centres()
        for spread in SPREADS
    ]
    return log_mean(alternatives) - allowed.likeliest(k, n)


def each_own(parts: Iterable[tuple[int, int]], allowed: Range) -> float:
    """Return the evidence that every part has a share of its own, whatever these are."""
    each = list(parts)
    k, n = sum(part[0] for part in each), sum(part[1] for part in each)
    return sum(log_evidence(VAGUE, *part) for part in each) - allowed.likeliest(k, n)


def odd_one_out(parts: Sequence[tuple[int, int]], allowed: Range) -> tuple[float, int]:
    """Return the evidence that one part has a share of its own and all others a common one, and the index of the
    likeliest such part.

    The parts are in the order in which they were first seen: later ones get less weight, so that more may come."""
    k, n = sum(part[0] for part in parts), sum(part[1] for part in parts)
    if not n or len(parts) < 2:
        return 0.0, 0
    found = [_odd(part, k, n, allowed) - log((place + 1) * (place + 2)) for place, part in enumerate(parts)]
    most = max(range(len(found)), key=found.__getitem__)
    return _log_total(found) - allowed.likeliest(k, n), most


def regular(parts: Parts, allowed: Range) -> float:
    """Return the evidence that equal numbers of requests get too equal numbers of hits, as from a counter instead of
    random draws."""
    k, n = _totals(parts)
    if not n:
        return 0.0
    alternatives = [
        sum(count * _sharp(part[0], part[1], centre, sharpness) for part, count in parts.items())
        for centre in allowed.centres()
        for sharpness in SHARPNESS
    ]
    return log_mean(alternatives) - allowed.likeliest(k, n)


def successive(pairs: Sequence[int], allowed: Range) -> float:
    """Return the evidence that a request's outcome depends on the one before.

    `pairs`: how often a miss followed a miss, a hit a miss, a miss a hit, and a hit a hit."""
    miss_miss, miss_hit, hit_miss, hit_hit = pairs
    n = sum(pairs)
    if not n:
        return 0.0
    after_miss = log_evidence(VAGUE, miss_hit, miss_miss + miss_hit)
    after_hit = log_evidence(VAGUE, hit_hit, hit_miss + hit_hit)
    return after_miss + after_hit - allowed.likeliest(miss_hit + hit_hit, n)


def evened(levels: Mapping[int, Sequence[int]], recent: int, allowed: Range) -> float:
    """Return the evidence that hits get rarer after many and more frequent after few, as from a shuffled deck.

    `levels[level]` is [misses, hits] of requests before which about `level` of `recent` were hits."""
    rows = [(level, misses, hits) for level, (misses, hits) in levels.items()]
    k, n = sum(hits for _, _, hits in rows), sum(misses + hits for _, misses, hits in rows)
    if not n:
        return 0.0

    def likelihood(centre: float, pull: float) -> float:
        return sum(
            log_likelihood(_pulled(level - centre * recent, centre, pull), hits, misses + hits)
            for level, misses, hits in rows
        )

    alternatives = [likelihood(centre, pull) for centre in allowed.centres() for pull in PULLS]
    return log_mean(alternatives) - allowed.likeliest(k, n)


def _pulled(beyond: float, centre: float, pull: float) -> float:
    """Return the share of hits after so many too many of them; never 0 or 1."""
    return min(max(centre - pull * beyond, centre / 16), 1 - (1 - centre) / 16)


def coupled(cells: Sequence[int], first: Range, second: Range) -> float:
    """Return the evidence that two faults are not drawn independently.

    `cells`: requests with neither, only the second, only the first, and both. The alternative is any four probabilities
    (a Dirichlet mixture)."""
    _, only_second, only_first, both = cells
    n = sum(cells)
    if not n:
        return 0.0
    free = sum(lgamma(count + 0.5) - lgamma(0.5) for count in cells) + lgamma(2.0) - lgamma(n + 2.0)
    return free - first.likeliest(only_first + both, n) - second.likeliest(only_second + both, n)


def exactly(parts: Iterable[tuple[int, int]]) -> Range:
    """Return the range of the parts' own common share alone, to ask how much better than it an alternative fits."""
    each = list(parts)
    n = sum(part[1] for part in each)
    share = sum(part[0] for part in each) / n if n else 0.0
    return Range(share, share)


def kindest(
    parts: Sequence[tuple[int, int]],
    unknown: Sequence[int],
    allowed: Range,
    evidence: Callable[[Sequence[tuple[int, int]]], float],
) -> tuple[float, list[tuple[int, int]]]:
    """Return the least evidence that the parts give, and the parts for it, whatever the unknown outcomes in each were:
    what is unknown is no evidence.

    It is least where the parts are most alike and as claimed, so that the unknown ones bring each as near as they can
    to one share: the known one, or one that is claimed."""
    if not any(unknown):
        return evidence(parts), list(parts)
    shares = [exactly(parts).low, allowed.low, (allowed.low + allowed.high) / 2, allowed.high]
    tried = [[_towards(share, *part, more) for part, more in zip(parts, unknown, strict=True)] for share in shares]
    return min(((evidence(each), each) for each in tried), key=lambda found: found[0])


def _towards(share: float, k: int, n: int, unknown: int) -> tuple[int, int]:
    hits = round(share * (n + unknown)) - k
    return k + min(unknown, max(0, hits)), n + unknown


def spread_between(parts: Mapping[tuple[int, int], int]) -> float:
    """Return the standard deviation of the parts' own shares, without what chance adds to it; 0 if that is all."""
    k, n = _totals(parts)
    count = sum(parts.values())
    if count < 2 or not n:
        return 0.0
    share = k / n
    scatter = sum(many * part[1] * (part[0] / part[1] - share) ** 2 for part, many in parts.items() if part[1])
    effective = n - sum(many * part[1] ** 2 for part, many in parts.items()) / n
    beyond = scatter - (count - 1) * share * (1 - share)
    return sqrt(max(0.0, beyond / effective)) if effective > 0 else 0.0


def log_mean(logs: Sequence[float]) -> float:
    """Return the log of the mean of e^x."""
    return _log_total(logs) - log(len(logs))


def _log_total(logs: Sequence[float]) -> float:
    total = -inf
    for each in logs:
        total = log_sum(total, each)
    return total


def _totals(parts: Parts) -> tuple[int, int]:
    return (
        sum(part[0] * count for part, count in parts.items()),
        sum(part[1] * count for part, count in parts.items()),
    )


def _beta_binomial(part: tuple[int, int], centre: float, spread: float) -> float:
    """Return the log of the likelihood's mean over a Beta distribution with this mean and (relative) standard
    deviation."""
    k, n = part
    observations = spread**-2 - 1
    a, b = centre * observations, (1 - centre) * observations
    return log_beta(a + k, b + n - k) - log_beta(a, b)


def _odd(part: tuple[int, int], k: int, n: int, allowed: Range) -> float:
    """Return the log likelihood that one part has any share, and the others a common one in the range."""
    rest = [log_likelihood(centre, k - part[0], n - part[1]) for centre in allowed.centres()]
    return log_evidence(VAGUE, part[0], part[1]) + log_mean(rest)


def _sharp(k: int, n: int, centre: float, sharpness: float) -> float:
    """Return the log of the sharpened probability of one sequence with k hits in n: Bin(k)^sharpness, normalised,
    divided by the number of such sequences."""
    table = _sharpened(n, centre, sharpness)
    return table[k] - _choose(n, k)


@lru_cache(maxsize=CENTRES * len(SHARPNESS) * 600)
def _sharpened(n: int, centre: float, sharpness: float) -> tuple[float, ...]:
    logs = [sharpness * (_choose(n, k) + log_likelihood(centre, k, n)) for k in range(n + 1)]
    top = max(logs)
    scale = top + log(sum(exp(each - top) for each in logs))
    return tuple(each - scale for each in logs)


def _choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
