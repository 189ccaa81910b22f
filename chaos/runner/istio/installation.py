"""What a run has in the cluster: its lease, renewed while it lives, and the overlay that the lease owns."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from chaos.engines.istio.lease import RENEWED_EVERY, lease, owner, renewal
from chaos.engines.istio.marks import RUN_LABEL, Json, Marks
from chaos.engines.istio.overlay import Generation, overlay
from chaos.engines.istio.targets import Served, targets, virtual_hosts
from chaos.errors import EnvironmentFailed, Problem
from chaos.mesh.compile.rules import Rules
from chaos.runner.istio.api import ENVOY_FILTERS, JOBS, VIRTUAL_SERVICES, Cluster, Refused
from chaos.runner.istio.hosts import Written
from chaos.runner.istio.made import CONFLICT, Made, missing
from chaos.runner.istio.patience import Patience
from chaos.runner.istio.services import Live, look

T = TypeVar("T")

AGAIN = 1.0  # seconds between tries while the API server does not answer


class Renewed(ABC):
    """What a run has in a cluster while its lease lasts; `written` are the file's VirtualServices. `there` once a
    generation has been put there. Every call raises EnvironmentFailed if the API server refuses it or does not
    answer."""

    def __init__(self, cluster: Cluster, marks: Marks, written: Sequence[Written]):
        self.cluster, self.marks = cluster, marks
        self.there = False
        self._written = written
        self._since = 0.0
        self._made: Made | None = None
        self._served: Served = {}

    @property
    def made(self) -> Made:
        """The run's own VirtualServices."""
        assert self._made is not None
        return self._made

    async def begin(self) -> None:
        """Make the lease, and find which hosts have rules. By the lease `chaos recover` and other runs see that this
        one is there."""
        self._owner = owner(await self.make_lease())
        live: Live = await patiently(lambda: look(self.cluster))
        self._made = Made(self.cluster, self.marks, self._owner, missing(self._written, live.rules))
        self._served = live.served()

    async def put(self, rules: Rules, generation: Generation) -> Collection[str]:
        """Put a generation of the run's objects there, in place of the one before. Returns the virtual hosts that have
        it once it is in force."""
        await patiently(lambda: self.made.put(rules, generation))
        found = await self._put(rules, generation)
        self.there = True
        own = {host for host, entries in virtual_hosts(rules).items() if self.made.has(entries[0].rule.rule.key)}
        return [*found, *own]

    @abstractmethod
    async def _put(self, rules: Rules, generation: Generation) -> Collection[str]:
        """Put there what is laid over others' rules. Returns the virtual hosts that have it."""

    @abstractmethod
    def problems(self, rules: Rules) -> list[Problem]:
        """Return which faults of these rules cannot be laid over those of the mesh."""

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

    def __init__(self, cluster: Cluster, marks: Marks, written: Sequence[Written], *, everybody: bool):
        super().__init__(cluster, marks, written)
        self._everybody = everybody
        self.laid = False

    def problems(self, rules: Rules) -> list[Problem]:
        faulted = [info.key for info in rules.rules if info.faults and not self.made.has(info.key)]
        return targets(rules, faulted)[1]

    async def _put(self, rules: Rules, generation: Generation) -> Collection[str]:
        found = [each for each in targets(rules, (), self._served)[0] if not self.made.has(each.key)]
        if found or not self.made.wanted:
            wanted = overlay(self.marks, self._owner, found, generation, everybody=self._everybody)
            await patiently(lambda: self._write(wanted))
        return list(dict.fromkeys(each.virtual_host for each in found))

    async def _write(self, wanted: Json) -> None:
        if not self.laid:
            try:
                await self.cluster.create(ENVOY_FILTERS, wanted)
            except Refused as refused:
                if refused.status != CONFLICT:  # else a try whose answer was lost has made it
                    raise
            else:
                self.laid = True
                return
        await self.cluster.patch(ENVOY_FILTERS, self.marks.name("overlay"), {"spec": wanted["spec"]})
        self.laid = True

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
    own = [(ENVOY_FILTERS, marks.name("overlay")), (JOBS, marks.name("lease"))]
    try:
        made = await cluster.items(VIRTUAL_SERVICES, f"{RUN_LABEL}={marks.short}")
        own = [*((VIRTUAL_SERVICES, each["metadata"]["name"]) for each in made), *own]
    except EnvironmentFailed as error:
        trouble = error
    for resource, name in own:
        try:
            await cluster.delete(resource, name)
        except EnvironmentFailed as error:
            trouble = error
    if trouble is not None:
        raise trouble
