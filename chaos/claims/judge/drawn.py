"""What the gateway says it did: its counters per phase and rule, as the drawn ledger of each expectation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.claims.expectations import Expectation
from chaos.claims.finding import Tally

Json = Mapping[str, Any]


class Drawn:
    """The gateway's `GET /counters`, or nothing for a gateway that has none."""

    def __init__(self, counters: Json | None):
        self.known = counters is not None
        self._phases: Json = (counters or {}).get("phases", {})

    def rule(self, phase: str, key: str) -> Json:
        """The counters of one rule in one phase; empty when it saw nothing."""
        found: Json = self._phases.get(phase, {}).get(key, {})
        return found

    def tally(self, expectation: Expectation) -> Tally | None:
        """k of n as the gateway counted them; None for what it does not count."""
        counts = self.rule(expectation.phase, expectation.rule)
        if not self.known or expectation.kind not in _TALLIES:
            return None
        if not counts:
            return Tally(0, 0)
        return _TALLIES[expectation.kind](expectation, counts)

    def endings(self, expectation: Expectation) -> list[tuple[int, bool, int]]:
        """How the tries of the requests ended: (tries, whether the last failed, requests).

        Both counts are of requests that are over; those under way have failed tries too, which say nothing yet. A
        request that failed is taken to have had all its tries."""
        counts = self.rule(expectation.phase, expectation.rule)
        by_tries = {int(tries): int(n) for tries, n in counts.get("tries", {}).items() if int(tries)}
        most = expectation.retries.attempts + 1 if expectation.retries else 1
        over = self.tally(expectation)
        failed = min(over.k if over else 0, by_tries.get(most, 0))
        early = [(tries, False, n) for tries, n in by_tries.items() if tries != most]
        return [*early, (most, True, failed), (most, False, by_tries.get(most, 0) - failed)]


def _aborts(_: Expectation, counts: Json) -> Tally:
    return Tally(counts["abort"], counts["requests"])


def _delays(_: Expectation, counts: Json) -> Tally:
    return Tally(counts["delay"], counts["requests"])


def _destinations(expectation: Expectation, counts: Json) -> Tally:
    reached: Mapping[str, int] = counts["destinations"]
    return Tally(sum(reached.get(label, 0) for label in expectation.labels), sum(reached.values()))


def _mirrors(_: Expectation, counts: Json) -> Tally:
    return Tally(counts["mirrored"], counts["forwarded"])


def _residual(expectation: Expectation, counts: Json) -> Tally:
    failed = sum(n for status, n in counts["statuses"].items() if int(status) and expectation.failed(int(status)))
    if expectation.failed(expectation.status):  # aborts answered with such a status were not forwarded
        failed -= counts["abort"]
    return Tally(max(0, failed), counts["forwarded"])


_TALLIES = {
    "abort": _aborts,
    "delay": _delays,
    "added-delay": _delays,
    "destination": _destinations,
    "mirror": _mirrors,
    "residual": _residual,
}
