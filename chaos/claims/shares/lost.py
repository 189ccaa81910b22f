"""Add what the gateway knows of requests without a response: the draws for clients that it saw leave."""

from __future__ import annotations

from chaos.claims.finding import Tally
from chaos.claims.gateway_ledger import Left


def with_lost(answered: Tally, lost: int, left: Left | None) -> tuple[Tally, int, int]:
    """Return k of n of all known requests, the number of unknown ones, and the number known from the gateway alone.

    `lost` of the clients' requests had no response, `left` are the clients that the gateway saw leave, with what it had
    drawn for them. The two ledgers are of slightly different moments. If the gateway has more, any of its clients may
    be one that the load has not counted yet; if it has fewer, the rest of the lost ones are unknown. Requests that the
    claim does not apply to are left out."""
    if left is None:
        return answered, lost, 0
    lost = max(0, lost - (left.total - left.n))
    early = max(0, left.n - lost)
    least, most = max(0, left.k - early), min(left.k, lost)
    most += max(0, lost - left.n)
    known = lost - (most - least)
    return Tally(answered.k + least, answered.n + known), most - least, min(known, left.n)
