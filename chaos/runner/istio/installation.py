"""What a run has in the cluster: its lease, renewed while it lives, and the overlay that the lease owns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from chaos.engines.istio.lease import RENEWED_EVERY, lease, owner, renewal
from chaos.engines.istio.marks import Json, Marks
from chaos.engines.istio.overlay import Generation, overlay
from chaos.engines.istio.targets import targets
from chaos.errors import EnvironmentFailed
from chaos.mesh.compile.rules import Rules
from chaos.runner.istio.api import ENVOY_FILTERS, JOBS, Cluster, Refused
from chaos.runner.istio.patience import Patience

T = TypeVar("T")

CONFLICT = 409
AGAIN = 1.0  # seconds between tries while the API server does not answer


class Renewed:
    """What a run has in a cluster while its lease lasts. `there` once a generation has been put there. Every call
    raises EnvironmentFailed if the API server refuses it or does not answer."""

    def __init__(self, cluster: Cluster, marks: Marks):
        self.cluster, self.marks = cluster, marks
        self.there = False
        self._since = 0.0

    async def make_lease(self) -> Json:
        """Make the lease, and return it."""
        made = await patiently(self._lease)
        self._since = time.monotonic()
        return made

    async def _lease(self) -> Json:
        try:
            return await self.cluster.create(JOBS, lease(self.marks))
        except Refused as refused:
            if refused.status == CONFLICT:  # a try whose answer was lost has made it
                return await self.cluster.patch(JOBS, self.marks.name("lease"), {})
            raise

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
        self._owner = owner(await self.make_lease())

    async def put(self, rules: Rules, generation: Generation) -> None:
        """Put a generation of the overlay there, in place of the one before."""
        assert self._owner is not None
        found, _ = targets(rules, ())
        wanted = overlay(self.marks, self._owner, found, generation, everybody=self._everybody)
        await patiently(lambda: self._write(wanted))

    async def _write(self, wanted: Json) -> None:
        if not self.there:
            try:
                await self.cluster.create(ENVOY_FILTERS, wanted)
            except Refused as refused:
                if refused.status != CONFLICT:  # else a try whose answer was lost has made it
                    raise
            else:
                self.there = True
                return
        await self.cluster.patch(ENVOY_FILTERS, self.marks.name("overlay"), {"spec": wanted["spec"]})
        self.there = True

    async def end(self) -> None:
        """Take everything away."""
        await remove(self.cluster, self.marks)


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Return what the API server answers, which may take a while where it is restarted. Raises EnvironmentFailed."""
    patience = Patience()
    while True:
        try:
            return await call()
        except EnvironmentFailed as error:
            patience.failed(error)
            await asyncio.sleep(AGAIN)


async def remove(cluster: Cluster, marks: Marks) -> None:
    """Delete a run's objects. Raises EnvironmentFailed after it has tried all."""
    trouble = None
    for resource, part in ((ENVOY_FILTERS, "overlay"), (JOBS, "lease")):
        try:
            await cluster.delete(resource, marks.name(part))
        except EnvironmentFailed as error:
            trouble = error
    if trouble is not None:
        raise trouble
