"""Find and remove what runs left in a namespace, by their labels and the names of their routes: whoever is called chaos
there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chaos.engines.istio.marks import MANAGED_BY, MANAGER, run_of
from chaos.engines.istio.patch import is_ours
from chaos.runner.istio.api import ENVOY_FILTERS, JOBS, VIRTUAL_SERVICES, Cluster, Resource
from chaos.runner.istio.patched import take_away


@dataclass(frozen=True, slots=True)
class Left:
    """One object that a run made, or somebody else's, in which it left `routes`; `about` says of which run."""

    resource: Resource
    name: str
    about: str
    routes: bool = False

    def __str__(self) -> str:
        return f"{self.resource.plural}/{self.name} {self.about}"


async def left_behind(cluster: Cluster) -> list[Left]:
    """Return what runs have there, faults first. Raises EnvironmentFailed."""
    found = []
    for live in await cluster.items(VIRTUAL_SERVICES):
        routes = [route["name"] for route in (live.get("spec") or {}).get("http") or () if is_ours(route)]
        if routes and not run_of(live):
            found.append(Left(VIRTUAL_SERVICES, live["metadata"]["name"], f"with the routes {', '.join(routes)}", True))
    for resource in (VIRTUAL_SERVICES, ENVOY_FILTERS, JOBS):
        for item in await cluster.items(resource, f"{MANAGED_BY}={MANAGER}"):
            metadata = item["metadata"]
            if run := run_of(item):  # others may be managed by something that is called chaos, too
                since = metadata.get("creationTimestamp", "?")
                found.append(Left(resource, metadata["name"], f"of run {run}, there since {since}"))
    return found


async def remove_all(cluster: Cluster, found: Iterable[Left]) -> None:
    """Delete the objects, and take the routes out of those of others. Raises EnvironmentFailed."""
    for each in found:
        if each.routes:
            await take_away(cluster)
        else:
            await cluster.delete(each.resource, each.name)
