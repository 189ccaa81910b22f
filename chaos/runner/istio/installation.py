"""What a run has in the cluster: its lease, renewed while it lives, and the overlay that the lease owns."""

from __future__ import annotations

import asyncio
import time

from chaos.engines.istio.lease import RENEWED_EVERY, lease, owner, renewal
from chaos.engines.istio.marks import Json, Marks
from chaos.engines.istio.overlay import Generation, overlay
from chaos.engines.istio.targets import targets
from chaos.errors import EnvironmentFailed
from chaos.mesh.compile.rules import Rules
from chaos.runner.istio.api import ENVOY_FILTERS, JOBS, Cluster, Refused
from chaos.runner.istio.patience import Patience

CONFLICT = 409
AGAIN = 1.0  # seconds between tries while the API server does not answer


class Renewed:
    """What a run has in a cluster while its lease lasts. `there` once a generation has been put there. Every call
    raises EnvironmentFailed if the API server refuses it or does not answer."""

    def __init__(self, cluster: Cluster, marks: Marks):
        self.cluster, self.marks = cluster, marks
        self.there = False
        self._since = 0.0

    def lease_begins(self) -> None:
        """Note that the lease has been made."""
        self._since = time.monotonic()

    async def renew(self) -> None:
        """Renew the lease again and again, until it is cancelled. Raises EnvironmentFailed when it is gone, or has not
        been renewed for so long that it soon will be."""
        patience = Patience()
        while True:
            await asyncio.sleep(RENEWED_EVERY if patience.is_fresh else AGAIN)
            try:
                await self.cluster.patch(JOBS, self.marks.name("lease"), renewal(time.monotonic() - self._since))
            except EnvironmentFailed as error:
                patience.failed(error)
            else:
                patience.answered()


class Installation(Renewed):
    """One run's overlay, which its lease owns."""

    def __init__(self, cluster: Cluster, marks: Marks, *, everybody: bool):
        super().__init__(cluster, marks)
        self._everybody = everybody
        self._owner: Json | None = None

    async def begin(self) -> None:
        """Make the lease."""
        self._owner = owner(await self.cluster.create(JOBS, lease(self.marks)))
        self.lease_begins()

    async def put(self, rules: Rules, generation: Generation) -> None:
        """Put a generation of the overlay there, in place of the one before. An API server that is restarted may not
        answer for a while."""
        assert self._owner is not None
        found, _ = targets(rules, ())
        wanted = overlay(self.marks, self._owner, found, generation, everybody=self._everybody)
        patience = Patience()
        while True:
            try:
                await self._write(wanted)
            except EnvironmentFailed as error:
                patience.failed(error)
                await asyncio.sleep(AGAIN)
            else:
                return

    async def _write(self, wanted: Json) -> None:
        if self.there:
            await self.cluster.patch(ENVOY_FILTERS, self.marks.name("overlay"), {"spec": wanted["spec"]})
            return
        try:
            await self.cluster.create(ENVOY_FILTERS, wanted)
        except Refused as refused:
            if refused.status != CONFLICT:
                raise
            # A try whose answer was lost has made it.
            await self.cluster.patch(ENVOY_FILTERS, self.marks.name("overlay"), {"spec": wanted["spec"]})
        self.there = True

    async def end(self) -> None:
        """Take everything away."""
        await remove(self.cluster, self.marks.name("overlay"), self.marks.name("lease"))


async def remove(cluster: Cluster, overlay_name: str, lease_name: str) -> bool:
    """Delete a run's objects. Returns whether any was there. Raises EnvironmentFailed after it has tried all."""
    found, trouble = False, None
    for resource, name in ((ENVOY_FILTERS, overlay_name), (JOBS, lease_name)):
        try:
            found |= await cluster.delete(resource, name)
        except EnvironmentFailed as error:
            trouble = error
    if trouble is not None:
        raise trouble
    return found
