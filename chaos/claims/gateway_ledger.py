"""The gateway's ledger: its counts per phase and rule, in the form that claims need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chaos.claims.finding import Tally
from chaos.faults import count_of
from chaos.protocol.counters import GatewayCounters, LogInfo, PolicyCounters, RuleCounters


class GatewayLedger:
    """The response of the gateway's `GET /counters`, or what its access log says (`log`); None for a gateway that has
    neither."""

    def __init__(self, counters: GatewayCounters | None):
        self.known = counters is not None
        self._phases = counters["phases"] if counters is not None else {}
        self._policies = counters.get("policies", {}) if counters is not None else {}
        self.log: LogInfo | None = counters.get("log") if counters is not None else None

    def rule(self, phase: str, key: str) -> RuleCounters | None:
        """Return the counters of one rule in one phase; None if it saw no request."""
        return self._phases.get(phase, {}).get(key)

    def policy(self, phase: str, name: str) -> PolicyCounters | None:
        """Return the counters of one policy in one phase; None if it was about no request."""
        return self._policies.get(phase, {}).get(name)

    def overflowed(self, phase: str) -> int:
        """Return how many requests of a phase a circuit breaker refused."""
        return sum(counts["failures"].get("UO", 0) for counts in self._phases.get(phase, {}).values())

    def unlogged(self, phase: str, key: str) -> int:
        """Return of how many of a rule's requests an access log does not tell."""
        counts = self.rule(phase, key)
        return counts.get("unlogged", 0) if counts else 0

    def tally(self, phase: str, key: str, count: Callable[[RuleCounters], Tally]) -> Tally | None:
        """Return `count` applied to a rule's counters; 0 of 0 if it saw no request, None without any ledger."""
        if not self.known:
            return None
        counts = self.rule(phase, key)
        return count(counts) if counts else Tally(0, 0)

    def left(self, phase: str, key: str, count: Callable[[RuleCounters], Tally], fault: str = "") -> Left | None:
        """Return `count` applied to a rule's counters of clients that left before their response; None without any
        ledger. Those for which it had not drawn `fault`, on which the claim depends, are as unknown as if it had not
        seen them leave."""
        counts = self.rule(phase, key)
        if counts is None:
            return Left(0, 0, 0) if self.known else None
        tally = count(counts)
        return Left(tally.k, tally.n, sum(counts["left"].values()) - unknown_of(counts, fault))


@dataclass(frozen=True, slots=True)
class Left:
    """Clients that left before their response: `total` of them, of which the claim applies to `n`, and the gateway's
    draws satisfy it for `k`."""

    k: int
    n: int
    total: int


def met(counts: RuleCounters, fault: str) -> Tally:
    """Return how many of a rule's requests met a kind of fault, of all."""
    return Tally(count_of(fault, counts["faults"]), counts["requests"] - unknown_of(counts, fault))


def reached(counts: RuleCounters, label: str) -> Tally:
    """Return how much of what a rule forwarded, requests or connections, went to one destination."""
    return Tally(counts["destinations"].get(label, 0), sum(counts["destinations"].values()))


def drawn_for_left(counts: RuleCounters, fault: str) -> Tally:
    """Return how many of the clients that left had a kind of fault drawn, of all that left."""
    return Tally(count_of(fault, counts["left"]), sum(counts["left"].values()) - unknown_of(counts, fault))


def unknown_of(counts: RuleCounters, fault: str) -> int:
    """Return for how many of the clients that left this fault had not been drawn."""
    return counts.get("undrawn", {}).get(fault, 0)


def all_left(counts: RuleCounters) -> Tally:
    """Return n of n clients that left: all of them took the rule."""
    total = sum(counts["left"].values())
    return Tally(total, total)
