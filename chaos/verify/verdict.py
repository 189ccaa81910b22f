"""The three answers a test can give, and the fourth when there was nothing to test.

Verified and falsified each carry the confidence of the run; inconclusive means that more requests would tell."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What the counts say about one claim."""

    VERIFIED = "verified"
    FALSIFIED = "falsified"
    INCONCLUSIVE = "inconclusive"
    NO_TRAFFIC = "no-traffic"

    @property
    def decided(self) -> bool:
        """Whether the claim has been settled; further requests cannot be expected to change it."""
        return self in (Verdict.VERIFIED, Verdict.FALSIFIED)


# A claim that is refuted stays the headline even when another saw no traffic: it is the stronger news.
_WORST_FIRST = (Verdict.FALSIFIED, Verdict.NO_TRAFFIC, Verdict.INCONCLUSIVE, Verdict.VERIFIED)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a whole run. Nothing tested is never a success: NO_TRAFFIC when there are none."""
    found = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in found), Verdict.NO_TRAFFIC)
