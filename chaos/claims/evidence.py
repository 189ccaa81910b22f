"""Evidence: both ledgers, a claim's part of alpha, and the reason if latencies cannot be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.claims.gateway_ledger import GatewayLedger
from chaos.claims.observations import Observed, Running

MAIN = 0.9
GUARDS = 7
GUARD = (1 - MAIN) / GUARDS
"""Parts of a claim's alpha: its own test, and each of the guards of a share (shares/judging.py)."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known when one claim is judged. `running` are the claim's own counts, kept from one judgement to the
    next. `starved` is the reason why latencies cannot be trusted, empty if they can."""

    observed: Observed
    ledger: GatewayLedger
    running: Running
    confidence: float
    alpha: float
    starved: str = ""
