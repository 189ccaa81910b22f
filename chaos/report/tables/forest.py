"""One row of the forest plot: the claim's band, its target, and the observed value with its interval, on the row's own
axis.

Rows of a table may have different units (a share, a time), so each is drawn in units of its own claim: the band of
accepted values fills the middle, and everything else lies beside it. Geometry only; the page draws."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from chaos import formatting as words
from chaos.claims import shown
from chaos.claims.finding import Finding

WIDTH = 220.0
MARGIN = 10.0
REACH = 2.2  # a two-sided claim's axis ends this many tolerances from its target


@dataclass(frozen=True, slots=True)
class Row:
    """Positions from left to right in a drawing WIDTH wide; None for what is absent. `beyond_*`: the interval goes on
    past the edge."""

    band: tuple[float, float]
    target: float
    estimate: float | None
    low: float | None
    high: float | None
    beyond_low: bool
    beyond_high: bool
    labels: tuple[tuple[float, str], ...]
    description: str


def forest_row(finding: Finding) -> Row | None:
    """Return a finding's row; None for one without a claim to draw."""
    target = finding.configured
    if target is None or not isfinite(target):
        return None
    left, right, band = _axis(finding, target)

    def place(value: float) -> float:
        return MARGIN + (min(max(value, left), right) - left) / (right - left) * (WIDTH - 2 * MARGIN)

    low, high = finding.interval or (None, None)
    has = finding.interval is not None
    return Row(
        band=(place(band[0]), place(band[1])),
        target=place(target),
        estimate=None if finding.estimate is None else place(finding.estimate),
        low=(place(left if low is None else low)) if has else None,
        high=(place(right if high is None else high)) if has else None,
        beyond_low=has and (low is None or low < left),
        beyond_high=has and (high is None or high > right),
        labels=_labels(finding, target, band, place),
        description=_description(finding),
    )


def _axis(finding: Finding, target: float) -> tuple[float, float, tuple[float, float]]:
    """Return the ends of the row's axis, and the band of values that the claim accepts."""
    floor, ceiling = (0.0, 1.0) if finding.unit == "share" else (0.0 if target >= 0 else -float("inf"), float("inf"))
    seen = [value for value in (finding.estimate, *(finding.interval or ())) if value is not None and isfinite(value)]
    if finding.sense == "within":
        tolerance = finding.tolerance or max(abs(target) * 0.05, 1e-6)
        farthest = max((abs(value - target) for value in seen), default=0.0)
        reach = min(max(REACH * tolerance, farthest * 1.15), 12 * tolerance)
        return target - reach, target + reach, (max(target - tolerance, floor), min(target + tolerance, ceiling))
    farthest = max((abs(value - target) for value in seen), default=0.0)
    reach = max(farthest * 1.2, abs(target) * 0.25, 1e-6)
    left, right = max(floor, target - reach), min(ceiling, target + reach)
    if right - left < 1e-12:
        left, right = target - reach, target + reach
    return left, right, (left, target) if finding.sense == "below" else (target, right)


def _labels(finding: Finding, target: float, band: tuple[float, float], place: object) -> tuple[tuple[float, str], ...]:
    ends = (target,) if finding.sense != "within" else band
    return tuple((place(end), words.edge(end, finding.tolerance, finding.unit)) for end in ends)  # type: ignore[operator]


def _description(finding: Finding) -> str:
    seen = words.quantity(finding.estimate, finding.unit, words.spread(finding.interval))
    claimed = f"{shown.configured(finding)} {shown.tolerance(finding)}".strip()
    return f"observed {seen}, interval {words.interval(finding.interval, finding.unit)}, claimed {claimed}"


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference and its interval, either side of which may be open."""

    estimate: float | None
    low: float | None
    high: float | None


def interval_row(shown: Interval, description: str) -> Row:
    """Return a row around 0, without a band, for the effect of a comparison."""
    seen = [abs(value) for value in (shown.estimate, shown.low, shown.high) if value is not None and isfinite(value)]
    reach = max(seen, default=0.0) * 1.15 or 1.0

    def place(value: float) -> float:
        return MARGIN + (value + reach) / (2 * reach) * (WIDTH - 2 * MARGIN)

    return Row(
        band=(place(0.0), place(0.0)),
        target=place(0.0),
        estimate=None if shown.estimate is None else place(shown.estimate),
        low=place(-reach if shown.low is None else shown.low),
        high=place(reach if shown.high is None else shown.high),
        beyond_low=shown.low is None,
        beyond_high=shown.high is None,
        labels=((place(0.0), "no difference"),),
        description=description,
    )
