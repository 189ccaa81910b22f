"""Evidence: both ledgers, a claim's part of alpha, and the reason if latencies cannot be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.claims.gateway_ledger import GatewayLedger
from chaos.claims.observations import Observed, Running

GUARD = 0.02
MAIN = 1 - 5 * GUARD
"""Parts of a claim's alpha: each of the five guards of a share (shares/judging.py), and its own test."""


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
