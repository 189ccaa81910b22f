"""Record which requests were faulted: the first of each phase, so that they can be inspected and sent again."""

from __future__ import annotations

from collections import defaultdict

from chaos.mesh.decision import Request
from chaos.protocol.counters import FaultedRequest

LIMIT_PER_PHASE = 10_000

Entry = tuple[str, bytes, bytes, bytes, bytes, str, str]  # phase, id, method, target, authority, rule's key, fault


class Faulted:
    """A bounded list that only grows; `total` counts all faulted requests, also those beyond the limit."""

    def __init__(self, limit: int = LIMIT_PER_PHASE):
        self._limit = limit
        self._entries: list[Entry] = []
        self._kept: defaultdict[str, int] = defaultdict(int)
        self.total = 0

    def record(self, phase: str, request_id: bytes, request: Request, rule: str, fault: str) -> None:
        """Count a faulted request, and keep it while its phase is below the limit."""
        self.total += 1
        kept = self._kept[phase]
        if kept < self._limit:
            self._kept[phase] = kept + 1
            self._entries.append((phase, request_id, request.method, request.target, request.authority, rule, fault))

    def since(self, after: int) -> list[FaultedRequest]:
        """Return the entries after the first `after`, as JSON objects."""
        return [_as_json(entry) for entry in self._entries[max(after, 0) :]]


def _as_json(entry: Entry) -> FaultedRequest:
    phase, request_id, method, target, authority, rule, fault = entry
    return {
        "id": request_id.decode("latin-1"),
        "method": method.decode("latin-1"),
        "target": target.decode("latin-1"),
        "authority": authority.decode("latin-1"),
        "rule": rule,
        "fault": fault,
        "phase": phase,
    }
