"""Count the faults that users did not notice, by following requests by id from the user to the fault.

If an application passes `x-request-id` on, the gateway sees the user's id, so that a sampled request that was aborted
on its way can be looked up among the users' outcomes. If it does not, only totals can be compared: users saw at most as
many faults as there were failed requests."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from chaos.claims.finding import Tally
from chaos.protocol.counters import FaultedRequest
from chaos.protocol.digest import failed

ID_LENGTH = 36  # of a UUID; applications append to it for their own retries
MOST = 500_000
"""How many requests of either kind are kept; a longer run is judged by its first ones."""


class Masking:
    """Collects faulted requests from the gateway and sampled outcomes from the load."""

    def __init__(self) -> None:
        self._aborted: dict[tuple[str, str], set[str]] = {}
        self._failed: dict[str, bool] = {}
        self._kept = 0

    def add_faulted(self, records: Iterable[FaultedRequest]) -> None:
        """Add entries of the gateway's `GET /faulted`: id, rule, fault, phase."""
        for record in records:
            if "abort" in record["fault"] and self._kept < MOST:
                ids = self._aborted.setdefault((record["phase"], record["rule"]), set())
                ids.add(record["id"][:ID_LENGTH])
                self._kept += 1

    def add_sample(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add the load's sampled outcomes: [id, task, status, error, fault]."""
        for identifier, _, status, error, *_ in rows:
            if len(self._failed) < MOST:
                self._failed[identifier[:ID_LENGTH]] = bool(error) or failed(status)

    def tally(self, phase: str | None, rules: Collection[str]) -> Tally:
        """Return how many of the sampled user requests that were aborted on their way ended well all the same."""
        ids = {
            identifier
            for (where, rule), found in self._aborted.items()
            if rule in rules and (phase is None or where == phase)
            for identifier in found
        }
        seen = [self._failed[identifier] for identifier in ids if identifier in self._failed]
        return Tally(seen.count(False), len(seen))
