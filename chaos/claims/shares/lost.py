"""Say what is known of requests that had no response: what the gateway drew for the clients that it saw leave."""

from __future__ import annotations

from chaos.claims.finding import Tally
from chaos.claims.gateway_ledger import Left


def with_lost(answered: Tally, lost: int, left: Left | None) -> tuple[Tally, int, int]:
    """Return what is known of all requests, how many are not known, and of how many only the gateway tells.

    `lost` of the clients' requests had no response, `left` are the clients that the gateway saw leave, with what it had
    drawn for them. Both ledgers are of slightly different moments: where the gateway knows of more, any of its may be
    the ones that the clients have not told of yet; where it knows of fewer, the others met nobody knows what. Those
    that the claim is not about are left out."""
    if left is None:
        return answered, lost, 0
    lost = max(0, lost - (left.total - left.n))
    early = max(0, left.n - lost)
    least, most = max(0, left.k - early), min(left.k, lost)
    most += max(0, lost - left.n)
    known = lost - (most - least)
    return Tally(answered.k + least, answered.n + known), most - least, min(known, left.n)
