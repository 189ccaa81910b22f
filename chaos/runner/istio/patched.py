"""A run whose routes stand in the VirtualServices themselves (chaos/engines/istio/patch.py): where EnvoyFilters are not
allowed. They are for the run's own requests alone, so one that is left behind does nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from functools import partial

from chaos.engines.istio.copies import copies, delegated
from chaos.engines.istio.marks import Json, Marks, run_of
from chaos.engines.istio.overlay import Generation
from chaos.engines.istio.patch import patch, runs_in, undo
from chaos.engines.istio.targets import virtual_hosts
from chaos.errors import Location, Problem
from chaos.mesh.compile.rules import Rules
from chaos.runner.istio.api import JOBS, JSON_PATCH, VIRTUAL_SERVICES, Cluster, Refused
from chaos.runner.istio.hosts import hosts_of, virtual_services_of
from chaos.runner.istio.installation import Renewed, patiently, remove

TRIES = 5
AGAIN = 0.1  # seconds between two tries
_MOVED = (409, 422)  # somebody else has written meanwhile, or a test of the patch failed: the server does not say which

Change = Callable[[Json], list[Json]]
"""Returns the JSON Patch for a VirtualService as it is; empty for none."""


class Patched(Renewed):
    """One run's routes in the VirtualServices of its hosts."""

    async def begin(self) -> None:
        """Make the lease, and take out the routes of runs that have none any more: nobody else does."""
        await super().begin()
        await patiently(lambda: take_away_left(self.cluster))

    def problems(self, rules: Rules) -> list[Problem]:
        return not_copied(rules)

    async def _put(self, rules: Rules, generation: Generation) -> Collection[str]:
        await patiently(lambda: self._patch(rules, generation))
        return [
            host
            for host, entries in virtual_hosts(rules, self._served).items()
            if not self.made.has(entries[0].rule.rule.key)
        ]

    async def _patch(self, rules: Rules, generation: Generation) -> None:
        live = [each for each in await self.cluster.items(VIRTUAL_SERVICES) if not run_of(each)]
        for each in self._written:
            for found in virtual_services_of(live, hosts_of(each)):
                copied = copies(rules, generation.faults, f"{each.namespace}/{each.name}", generation.deeper)
                await change(
                    self.cluster,
                    found["metadata"]["name"],
                    partial(
                        patch,
                        marks=self.marks,
                        copied=copied,
                        generation=generation.number,
                        phase=generation.phase,
                    ),
                )

    async def end(self) -> None:
        """Take everything away."""
        try:
            await take_away(self.cluster, self.marks)
        finally:
            await remove(self.cluster, self.marks)


def not_copied(rules: Rules) -> list[Problem]:
    """Return a problem for each rule of a delegate that has faults: whoever copies the routes of its root does not
    reach it."""
    found = []
    for info in delegated(rules):
        if info.faults:
            text = f"{info.name} is a delegate's rule, which --patch does not copy; leave --patch out"
            found.append(Problem(info.location or Location("rules"), "", text, code="mesh"))
    return found


async def take_away(cluster: Cluster, marks: Marks | None = None) -> list[str]:
    """Take a run's routes out of the VirtualServices of the namespace, or those of every run without `marks`. Returns
    the names of those that had any."""
    live = [each for each in await cluster.items(VIRTUAL_SERVICES) if not run_of(each)]
    found = [each["metadata"]["name"] for each in live if undo(each, marks)]
    for name in found:
        await change(cluster, name, lambda now: undo(now, marks))
    return found


async def take_away_left(cluster: Cluster) -> None:
    """Take the routes of runs without a lease out of the VirtualServices of the namespace."""
    live = [each for each in await cluster.items(VIRTUAL_SERVICES) if not run_of(each)]
    found = {run for each in live for run in runs_in(each)}
    leases = {run_of(each) for each in await cluster.items(JOBS)} if found else set()
    for run in sorted(found - leases):
        await take_away(cluster, Marks(run, cluster.namespace))


async def change(cluster: Cluster, name: str, wanted: Change, *, dry_run: bool = False) -> None:
    """Change a VirtualService as it is now. Raises Refused if others write so often that this cannot be done."""
    for _ in range(TRIES):
        live = await cluster.get(VIRTUAL_SERVICES, name)
        operations = wanted(live) if live is not None else []
        if not operations:
            return
        try:
            await cluster.patch(VIRTUAL_SERVICES, name, operations, kind=JSON_PATCH, dry_run=dry_run)
        except Refused as refused:
            if refused.status not in _MOVED:
                raise
            trouble = refused
            await asyncio.sleep(AGAIN)
        else:
            return
    raise Refused(0, f"VirtualService {name} could not be changed in {TRIES} tries: {trouble}")
