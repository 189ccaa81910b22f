"""Failures that met no fault: how many there were, and how one of them is sent again."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from chaos.claims.effects import PhaseEffects
from chaos.claims.policing import PolicyEffect, may_be_policies
from chaos.formatting import plain_count
from chaos.protocol.digest import WARM_UP, Digest, Key
from chaos.protocol.exemplars import ExemplarRecord, Exemplars, Kind, is_failure


def is_unexplained(key: Key) -> bool:
    """Return whether an outcome is a failure that neither a fault nor a rule's own reply explains."""
    replied = bool(key.route and key.status and not key.destination)
    return is_failure(key) and not (key.fault or key.policy or replied) and key.phase != WARM_UP


class Unexplained:
    """The failures of one run that met no fault, and a few of them by themselves."""

    def __init__(self, phases: Iterable[PhaseEffects] = ()) -> None:
        self._policies = {phase.name: phase.policies for phase in phases if phase.faults}
        self._counts: Counter[Kind] = Counter()
        self._kept = Exemplars()

    def count(self, digest: Digest) -> None:
        """Count those in a digest."""
        for key, tally in digest.items():
            if self._is_unexplained(key):
                self._counts[Kind.of(key)] += tally.count

    def _is_unexplained(self, key: Key) -> bool:
        policies = self._policies.get(key.phase, ())
        return is_unexplained(key) and not may_be_policies(policies, key) and not _ended_upstream(policies, key)

    def keep(self, requests: Collection[ExemplarRecord]) -> None:
        """Take single requests of the run."""
        self._kept.merge(requests)

    def line(self, applications: Collection[str], folder: Path, gateway: str | None, *, replays: bool) -> str:
        """Return what the end of the run says of them, empty without any. Of tasks that `applications` answer nobody
        knows here what the faults of their own calls did; with `replays` a single request can be sent again."""
        kinds = Counter({kind: count for kind, count in self._counts.items() if kind.task not in applications})
        total = kinds.total()
        if not total:
            return ""
        told = f"{plain_count(total)} {'request' if total == 1 else 'requests'} failed without a fault"
        request = next(filter(None, (self._request(kind) for kind, _ in kinds.most_common())), "")
        if not replays or not request:
            return f"{told}: see Single requests in the report"
        through = ["--gateway", gateway] if gateway else []
        return f"{told}; one of them again: {shlex.join(['chaos', 'replay', str(folder), '--id', request, *through])}"

    def _request(self, kind: Kind) -> str:
        """Return the id of a request of this kind, empty if none was kept."""
        shelf = self._kept.failures.get(kind, ())
        return next((each.id for each in shelf if each.id and self._is_unexplained(each.key)), "")


def _ended_upstream(policies: Iterable[PolicyEffect], key: Key) -> bool:
    """Return whether a policy beneath the retries may be why the last attempt failed."""
    return any(each.policy.upstream and each.takes(key) and key.status == each.fault.last_status for each in policies)
