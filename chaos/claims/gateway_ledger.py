"""The gateway's ledger: what it counted per phase and rule, as far as claims ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chaos.claims.finding import Tally

Counts = Mapping[str, Any]
"""The counters of one rule in one phase (docs/protocol.md)."""


class GatewayLedger:
    """The gateway's `GET /counters`, or nothing for a gateway that has none."""

    def __init__(self, counters: Mapping[str, Any] | None):
        self.known = counters is not None
        self._phases: Mapping[str, Any] = (counters or {}).get("phases", {})

    def rule(self, phase: str, key: str) -> Counts:
        """Return the counters of one rule in one phase; empty when it saw nothing."""
        found: Counts = self._phases.get(phase, {}).get(key, {})
        return found

    def tally(self, phase: str, key: str, count: Callable[[Counts], Tally]) -> Tally | None:
        """Return what `count` makes of a rule's counters; 0 of 0 when it saw nothing, None without any ledger."""
        if not self.known:
            return None
        counts = self.rule(phase, key)
        return count(counts) if counts else Tally(0, 0)
