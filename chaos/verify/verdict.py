"""The three verdicts of a test, and two for claims that a run cannot test.

Verified and falsified each carry the confidence of the run; inconclusive means that more requests would decide. A
claim without traffic saw no request; one that is not judged is about something that this run cannot see at all."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What the counts say about one claim."""

    VERIFIED = "verified"
    FALSIFIED = "falsified"
    INCONCLUSIVE = "inconclusive"
    NO_TRAFFIC = "no-traffic"
    NOT_JUDGED = "not-judged"

    @property
    def decided(self) -> bool:
        """Whether the claim has been settled; further requests cannot be expected to change it."""
        return self in (Verdict.VERIFIED, Verdict.FALSIFIED)


WORST_FIRST = (
    Verdict.FALSIFIED,  # it stays the headline even when another claim saw no traffic, because it says more
    Verdict.NO_TRAFFIC,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_JUDGED,
    Verdict.VERIFIED,
)
"""In the order in which people want to read them."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of a whole run. Claims that are not judged have no part in it, but a run in which nothing is
    judged is inconclusive; without any claim it is NO_TRAFFIC, because a run without tests is not a success."""
    found = set(verdicts)
    if found == {Verdict.NOT_JUDGED}:
        return Verdict.INCONCLUSIVE
    found.discard(Verdict.NOT_JUDGED)
    return next((verdict for verdict in WORST_FIRST if verdict in found), Verdict.NO_TRAFFIC)
