"""A ratio of two totals, such as calls per user request, from what came in each stretch of time.

A gambler who holds that the ratio is r bets against it, stretch by stretch, and is never ruined; were r the truth, his
wealth would reach 1/alpha with probability alpha at most (Waudby-Smith and Ramdas 2024, "Estimating means of bounded
random variables by betting"). So the ratios at which he stays poorer than that hold the truth at every moment.
Nothing is assumed of what happens within a stretch: requests may depend on each other as they like. Between stretches
two things are: they are independent, and none has a ratio beyond `most`. The second matters to the upper bound alone,
because a stretch that has not come yet could cost anything.

Stretches that do depend on each other are found by the scatter of longer ones (`chaos.verify.dependence`), and then
count as fewer. That is an estimate, and matters only where the scatter does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from math import inf, log

from chaos.verify.dependence import lengths, scatter
from chaos.verify.interval import log_sum

STAKES = ((0.95, 0.6), (0.5, 0.2), (0.2, 0.1), (0.05, 0.1))
"""Parts of the wealth that could be lost at once, and how the gambler divides his wealth among them: most of it goes
where a ratio that is far from r and does not scatter is told soonest."""
HALVINGS = 30
CAUTION = -2.05
"""The dependence of stretches is estimated too low in one case of fifty."""

Stretches = Sequence[tuple[float, float]]
"""What came in each: the number whose total is above, and the one whose total is below."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The estimate and its bounds; `high` is inf while there is no bound."""

    estimate: float
    low: float
    high: float


def ratio(stretches: Stretches, alpha: float, most: float) -> Ratio | None:
    """Return the total of the first numbers over the total of the second; None while the second total is 0.

    Half of alpha is for each bound."""
    above, below = sum(over for over, _ in stretches), sum(under for _, under in stretches)
    if not below:
        return None
    estimate = above / below

    def excluded(r: float) -> bool:
        return excludes(stretches, r, alpha, most)

    high = _edge(estimate, most, excluded) if estimate < most else inf
    return Ratio(estimate, _edge(estimate, 0.0, excluded), high)


def excludes(stretches: Stretches, r: float, alpha: float, most: float) -> bool:
    """Return whether r is ruled out, as too high or as too low a ratio."""
    estimate = sum(over for over, _ in stretches) / sum(under for _, under in stretches)
    scale = max(under for _, under in stretches)
    ruin = scale * (r if estimate > r else r - most)
    return _evidence(stretches, r, ruin) >= -log(alpha / 2) * _fewer(stretches, estimate, r)


def _evidence(stretches: Stretches, r: float, ruin: float) -> float:
    """Return the log of the gambler's wealth. `ruin` is the greatest gain of the other side in one stretch: negative to
    bet on less than r, positive to bet on more."""
    if not ruin:
        return 0.0
    return reduce(log_sum, (log(part) + _wealth(stretches, r, stake / ruin) for stake, part in STAKES))


def _wealth(stretches: Stretches, r: float, stake: float) -> float:
    """Return the log of the wealth from one stake; -inf if it was lost."""
    total = 0.0
    for over, under in stretches:
        factor = 1 + stake * (over - r * under)
        if factor <= 0:
            return -inf
        total += log(factor)
    return total


def _fewer(stretches: Stretches, estimate: float, r: float) -> float:
    """Return by which factor dependent stretches count as fewer than there are; 1 for independent ones."""
    gaps = [over - estimate * under for over, under in stretches]
    variance = sum(gap * gap for gap in gaps) / len(gaps)
    margin = (estimate - r) * sum(under for _, under in stretches) / len(stretches)
    if not variance:
        return 1.0
    factor = max((scatter(gaps, length, CAUTION) / variance for length in lengths(len(gaps))), default=1.0)
    return 1 + max(0.0, factor - 1) * variance / (variance + margin * margin)


def _edge(inside: float, outside: float, excluded: Callable[[float], bool]) -> float:
    """Return where the ratios that are not excluded end on the way from `inside`; `outside` if they do not, and inf
    instead of an upper one."""
    limit = outside
    if not excluded(outside * (1 - 1e-9) if outside else 1e-9):
        return outside if outside < inside else inf
    for _ in range(HALVINGS):
        middle = (inside + limit) / 2
        if excluded(middle):
            limit = middle
        else:
            inside = middle
    return limit
