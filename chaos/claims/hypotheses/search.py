"""Bisect for the largest fault level at which a hypothesis still holds.

Each level runs until the hypothesis is verified or falsified there. More fault is assumed never to help: so the
hypothesis holds below the highest level at which it was verified, and is broken above the lowest at which it was
falsified. Every level has its part of 1 - confidence, so that the interval between the two contains the breaking point
with the run's confidence. Close to the breaking point no number of requests decides; such levels are left open, and the
search goes on at either side of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, log2

from chaos.claims.finding import Finding
from chaos.faults import FaultKind
from chaos.units import format_duration
from chaos.verify.verdict import Verdict

PARTS = 32
"""The default resolution is the search's range divided by this."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """The fault level that a search varies: `<host>.abort`, or another kind of fault, in percent, `<host>.fixedDelay`
    in seconds."""

    host: str
    what: str

    @classmethod
    def parse(cls, text: str) -> Quantity:
        """Parse `<host>.<what>`. Raises ValueError for anything else."""
        host, dot, what = text.rpartition(".")
        if not dot or not host or what not in (*FaultKind, "fixedDelay"):
            raise ValueError(
                f"{text!r} cannot be varied; write it like webserver.abort, webserver.delay (percent)"
                " or webserver.fixedDelay (a duration)"
            )
        return cls(host, what)

    @property
    def in_seconds(self) -> bool:
        return self.what == "fixedDelay"

    def show(self, level: float) -> str:
        """Return a level as `12.5 %` or `250ms`."""
        return format_duration(level) if self.in_seconds else f"{level:.4g}\u202f%"


@dataclass(slots=True)
class Search:
    """A search from `start`, where the hypothesis should hold, to `to`; both are levels in the quantity's unit.

    Use it in a loop: run the level that `next()` returns and `record` its verdict, until `next()` returns None. Raises
    ValueError for an empty range, or a resolution that does not fit it."""

    start: float
    to: float
    resolution: float | None = None
    confidence: float = 0.99
    tried: dict[float, Verdict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.start < self.to:
            raise ValueError("a search goes from a smaller to a larger level")
        if self.resolution is None:
            self.resolution = (self.to - self.start) / PARTS
        if not 0 < self.resolution < self.to - self.start:
            raise ValueError("a search's resolution is positive and smaller than its range")

    @property
    def most_levels(self) -> int:
        """The largest number of levels: both ends, one per halving, and one more for each that stays open."""
        return 2 + 2 * ceil(log2((self.to - self.start) / self._fine))

    @property
    def alpha(self) -> float:
        """The alpha with which each level is judged."""
        return (1 - self.confidence) / self.most_levels

    @property
    def _fine(self) -> float:
        assert self.resolution is not None
        return self.resolution

    @property
    def holds_up_to(self) -> float | None:
        """The highest level at which the hypothesis was verified, below any at which it was falsified; None without
        one."""
        breaks = self.breaks_from
        held = [level for level, verdict in self.tried.items() if verdict is Verdict.VERIFIED]
        return max((level for level in held if breaks is None or level < breaks), default=None)

    @property
    def breaks_from(self) -> float | None:
        """The lowest level at which the hypothesis was falsified; None without one."""
        return min((level for level, verdict in self.tried.items() if verdict is Verdict.FALSIFIED), default=None)

    def record(self, level: float, verdict: Verdict) -> None:
        """Record the verdict of a level. One without traffic is open, as an inconclusive one is."""
        self.tried[level] = verdict

    def next(self) -> float | None:
        """Return the level to run next; None if the search is over."""
        for end in (self.start, self.to):
            if end not in self.tried:
                return end
            if self.breaks_from == self.start:
                return None
        if len(self.tried) >= self.most_levels or (
            self.breaks_from is None and self.tried[self.to] is Verdict.VERIFIED
        ):
            return None
        return self._middle()

    def _middle(self) -> float | None:
        """Return the middle of the gap above the highest level that holds, else of the gap below the lowest that is
        broken; None if both are narrower than the resolution."""
        low = self.start if self.holds_up_to is None else self.holds_up_to
        high = self.to if self.breaks_from is None else self.breaks_from
        levels = sorted(level for level in self.tried if low <= level <= high)
        gaps = [(levels[0], levels[1]), (levels[-2], levels[-1])] if len(levels) > 1 else []
        if self.holds_up_to is None:
            gaps = gaps[1:]
        wide = [gap for gap in gaps if gap[1] - gap[0] > self._fine * (1 + 1e-9)]
        return sum(wide[0]) / 2 if wide else None

    def finding(self, quantity: Quantity, hold: str) -> Finding:
        """Return the finding of the search so far, with the breaking point as its interval."""
        low, high = self.holds_up_to, self.breaks_from
        scale = 1.0 if quantity.in_seconds else 100.0
        return Finding(
            id=f"search#{quantity.host}.{quantity.what}",
            kind="search",
            title=f"{quantity.host}.{quantity.what} at which {hold}",
            verdict=self._verdict(),
            sentence=self._sentence(quantity.show, f"{quantity.host}.{quantity.what}", hold),
            unit="seconds" if quantity.in_seconds else "share",
            sense="above",
            estimate=None if low is None else low / scale,
            interval=(None if low is None else low / scale, None if high is None else high / scale),
            confidence=self.confidence,
            alpha=1 - self.confidence,
            ledgers=("observed",),
        )

    def _verdict(self) -> Verdict:
        if self.breaks_from == self.start:
            return Verdict.FALSIFIED
        return Verdict.INCONCLUSIVE if self.holds_up_to is None else Verdict.VERIFIED

    def _sentence(self, show: Callable[[float], str], name: str, hold: str) -> str:
        low, high = self.holds_up_to, self.breaks_from
        if high == self.start:
            return f"`{hold}` is broken at {name} {show(self.start)} already: it never holds in this range."
        if low is None:
            return f"`{hold}` was decided at no level of {name}; more requests per level would tell."
        if high is None:
            most = "of the whole range" if low == self.to else "tried"
            return f"`{hold}` holds up to {name} {show(low)}, the largest {most}; what breaks it was not found."
        return f"`{hold}` holds up to {name} {show(low)} and is broken from {show(high)}."
