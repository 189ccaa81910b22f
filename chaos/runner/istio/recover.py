"""Find and remove what runs left in a namespace, by their labels: whoever is called chaos there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chaos.engines.istio.marks import MANAGED_BY, MANAGER, RUN_LABEL
from chaos.runner.istio.api import ENVOY_FILTERS, JOBS, Cluster, Resource


@dataclass(frozen=True, slots=True)
class Left:
    """One object that a run made; `since` is when, as the API server says it."""

    resource: Resource
    name: str
    run: str
    since: str

    def __str__(self) -> str:
        return f"{self.resource.plural}/{self.name} of run {self.run}, there since {self.since}"


async def left_behind(cluster: Cluster) -> list[Left]:
    """Return what runs have there, faults first. Raises EnvironmentFailed."""
    found = []
    for resource in (ENVOY_FILTERS, JOBS):
        for item in await cluster.items(resource, f"{MANAGED_BY}={MANAGER}"):
            metadata = item["metadata"]
            run = (metadata.get("labels") or {}).get(RUN_LABEL)
            if run:  # others may be managed by something that is called chaos, too
                found.append(Left(resource, metadata["name"], run, metadata.get("creationTimestamp", "?")))
    return found


async def remove_all(cluster: Cluster, found: Iterable[Left]) -> None:
    """Delete them. Raises EnvironmentFailed."""
    for each in found:
        await cluster.delete(each.resource, each.name)
