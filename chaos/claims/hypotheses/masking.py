"""Count the faults that users did not notice, by following requests by id from the user to the fault.

If an application passes `x-request-id` on, the gateway sees the user's id, so that a fault can be looked up among the
users' outcomes, of which the load samples some. A fault is masked if the user's request that it belongs to ended well.
One request can meet several faults, which then are masked together or not at all; so the evidence counts in units of as
many faults as any request was seen to meet.

If ids are not passed on, nobody can say how many faults a failed request met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

from chaos.claims.finding import Tally
from chaos.protocol.counters import FaultedRequest
from chaos.statuses import failed

ID_LENGTH = 36  # of a UUID; applications append to it for their own retries
MOST = 500_000
"""How many requests of either kind are kept; a longer run is judged by its first ones."""

ENOUGH = 50
"""Aborts, and sampled requests: a quarter of the requests is sampled, so that among so many some belong together."""


@dataclass(frozen=True, slots=True)
class Followed:
    """Faults that were followed to their user: `faults.k` of `faults.n` are masked. They were met by `requests` user
    requests, none of which met more than `most`. `unknown` faults at most may belong to requests in flight."""

    faults: Tally
    requests: int
    most: int
    unknown: int = 0


class Masking:
    """Collects faulted requests from the gateway and sampled outcomes from the load."""

    def __init__(self) -> None:
        self._aborted: dict[tuple[str, str], Counter[str]] = {}
        self._ended: dict[str, tuple[str, bool]] = {}
        self._kept = 0

    def add_faulted(self, records: Iterable[FaultedRequest]) -> None:
        """Add entries of the gateway's `GET /faulted`: id, rule, fault, phase."""
        for record in records:
            if "abort" in record["fault"] and self._kept < MOST:
                self._aborted.setdefault((record["phase"], record["rule"]), Counter())[record["id"][:ID_LENGTH]] += 1
                self._kept += 1

    def add_sample(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add the load's sampled outcomes: [id, task, status, error, fault]."""
        for identifier, task, status, error, *_ in rows:
            if len(self._ended) < MOST:
                self._ended[identifier[:ID_LENGTH]] = task, bool(error) or failed(status)

    def followed(
        self, phase: str | None, rules: Collection[str], task: str | None = None, pending: int = 0
    ) -> Followed:
        """Return the aborts of these rules that were met by sampled requests of the task (None: of any), of which
        `pending` are in flight."""
        met: Counter[str] = Counter()
        for (where, rule), found in self._aborted.items():
            if rule in rules and (phase is None or where == phase):
                met.update(found)
        counted = [(self._ended[each][1], count) for each, count in met.items() if self._is_of(each, task)]
        masked = sum(count for noticed, count in counted if not noticed)
        total = sum(count for _, count in counted)
        open_ = nlargest(pending, (count for each, count in met.items() if each not in self._ended)) if pending else []
        most = max((count for _, count in counted), default=1)
        return Followed(Tally(masked, total), len(counted), most, sum(open_))

    def strangers(self, phase: str | None, rules: Collection[str]) -> bool:
        """Return whether there are so many aborts that some would have the id of a sampled request, if ids were passed
        on."""
        recorded = sum(
            found.total()
            for (where, rule), found in self._aborted.items()
            if rule in rules and (phase is None or where == phase)
        )
        return recorded >= ENOUGH and len(self._ended) >= ENOUGH

    def _is_of(self, identifier: str, task: str | None) -> bool:
        return identifier in self._ended and (task is None or self._ended[identifier][0] == task)
