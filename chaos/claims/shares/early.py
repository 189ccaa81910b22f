"""Count the responses that are tagged with a fault that did not happen: they came before it can have been over."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.claims.expectation import Expectation
from chaos.claims.finding import Tally
from chaos.claims.observations import EARLY, Observed
from chaos.verify.claim import Claim


@dataclass(frozen=True, slots=True)
class Early:
    """`count` responses say that they satisfy a claim, but took less than the `least` seconds that this takes."""

    count: int
    least: float

    def explains(self, own: Tally, claim: Claim) -> bool:
        """Return whether they are at least half of the requests that are missing from k of n."""
        return 2 * self.count >= claim.centre * own.n - own.k > 0


def early(expectation: Expectation, observed: Observed) -> Early | None:
    """Return the claim's early responses, None without any."""
    least = expectation.earliest
    if not least:
        return None
    count = sum(count for each, count in observed if EARLY in each.fault and expectation.classify(each) is False)
    return Early(count, least) if count else None
