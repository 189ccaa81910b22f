"""What the gateway says it did: its counters per phase and rule, as the drawn ledger of each expectation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.experiment.expectations import Expectation
from chaos.experiment.finding import Tally

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

    def tries(self, expectation: Expectation) -> Tally:
        """Upstream requests that failed, of all that were made: what one try of the rule meets."""
        counts = self.rule(expectation.phase, expectation.rule)
        return Tally(int(counts.get("upstream_failures", 0)), int(counts.get("upstream_requests", 0)))


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
