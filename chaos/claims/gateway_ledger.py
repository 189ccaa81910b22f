"""The gateway's ledger: what it counted per phase and rule, as far as claims ask for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chaos.claims.finding import Tally
from chaos.protocol.counters import GatewayCounters, RuleCounters


class GatewayLedger:
    """The gateway's `GET /counters`, or nothing for a gateway that has none."""

    def __init__(self, counters: GatewayCounters | None):
        self.known = counters is not None
        self._phases = counters["phases"] if counters is not None else {}

    def rule(self, phase: str, key: str) -> RuleCounters | None:
        """Return the counters of one rule in one phase; None when it saw nothing."""
        return self._phases.get(phase, {}).get(key)

    def tally(self, phase: str, key: str, count: Callable[[RuleCounters], Tally]) -> Tally | None:
        """Return what `count` makes of a rule's counters; 0 of 0 when it saw nothing, None without any ledger."""
        if not self.known:
            return None
        counts = self.rule(phase, key)
        return count(counts) if counts else Tally(0, 0)

    def left(self, phase: str, key: str, count: Callable[[RuleCounters], Tally]) -> Left | None:
        """Return what `count` makes of the counters of clients that left before their response."""
        counts = self.rule(phase, key)
        if counts is None:
            return Left(0, 0, 0) if self.known else None
        tally = count(counts)
        return Left(tally.k, tally.n, sum(counts["left"].values()))


@dataclass(frozen=True, slots=True)
class Left:
    """Of `total` clients that left before their response a claim is about `n`, and `k` of these have what is
    claimed, as far as the gateway drew it."""

    k: int
    n: int
    total: int


def drawn_for_left(counts: RuleCounters, fault: str) -> Tally:
    """Return for how many of those who left a fault had been drawn."""
    drawn = counts["left"]
    return Tally(sum(n for faults, n in drawn.items() if fault in faults.split(",")), sum(drawn.values()))


def all_left(counts: RuleCounters) -> Tally:
    """Return all of those who left: they took the rule."""
    total = sum(counts["left"].values())
    return Tally(total, total)
