"""What a claim is judged by: both ledgers, its part of alpha, and what keeps latencies from being trusted."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.claims.gateway_ledger import GatewayLedger
from chaos.claims.observations import Observed, Running

GUARD = 0.02
MAIN = 1 - 5 * GUARD
"""Parts of a claim's alpha: each of the five guards of a share (shares/judging.py), and its own test."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known when one claim is judged. `running` are the claim's own counts, kept between looks; `starved`
    says why latencies cannot be trusted, and is empty when they can."""

    observed: Observed
    ledger: GatewayLedger
    running: Running
    confidence: float
    alpha: float
    starved: str = ""
