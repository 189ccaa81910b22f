"""Turns of endpoints that differ in weight: earliest deadline first, as Envoy's EdfScheduler has it.

An endpoint's next turn is due 1 / weight after its last one; the endpoint whose turn is due first is taken, and of
equals the one that has waited longest. A weight is asked for at each turn, so it may change in between."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from heapq import heapify, heapreplace

from chaos.gateway.upstream.pool import Host

Weight = Callable[[Host], float]
_PICKS = 2**31  # a schedule begins after a random number of turns below this


class Schedule:
    """The turns of these endpoints, beginning somewhere at random."""

    __slots__ = ("_order", "_queue", "_weight", "hosts")

    def __init__(self, hosts: Sequence[Host], weight: Weight):
        self.hosts = hosts
        self._weight = weight
        hosts = sorted(hosts, key=weight)  # of turns due together, the one that has waited longer comes first
        weights = [weight(host) for host in hosts]
        total, skipped = sum(weights), random.randrange(_PICKS)
        # So many turns leave each endpoint with its share of them, rounded down; the few that remain are taken.
        turns = [int(skipped * each / total) for each in weights]
        self._queue = [
            ((turn + 1) / each, place, host)
            for place, (turn, each, host) in enumerate(zip(turns, weights, hosts, strict=True))
        ]
        heapify(self._queue)
        self._order = len(hosts)
        for _ in range(skipped - sum(turns)):
            self.take()

    def take(self) -> Host:
        """Return the endpoint whose turn it is."""
        due, _, host = self._queue[0]
        self._order += 1
        heapreplace(self._queue, (due + 1 / self._weight(host), self._order, host))
        return host
