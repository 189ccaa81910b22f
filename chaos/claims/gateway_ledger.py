"""The gateway's ledger: what it counted per phase and rule, as far as claims ask for it."""

from __future__ import annotations

from collections.abc import Callable

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
