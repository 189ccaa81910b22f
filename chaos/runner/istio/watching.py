"""Watch the objects that a run is about: when somebody else changes one of them, its verdict would be about two
meshes."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from chaos.engines.istio.live import differences
from chaos.engines.istio.marks import Json, run_of
from chaos.engines.istio.owners import last_writer
from chaos.engines.istio.patch import is_ours, without_runs
from chaos.errors import EnvironmentFailed
from chaos.runner.istio.api import ENVOY_FILTERS, VIRTUAL_SERVICES, Cluster, Resource
from chaos.runner.istio.hosts import Written, hosts_of, spec_of, virtual_services_of
from chaos.runner.istio.installation import Installation, Renewed
from chaos.runner.istio.patched import Patched
from chaos.runner.istio.patience import Patience

AGAIN = 0.5  # seconds after which a watch that ended begins anew


async def changed_by_others(cluster: Cluster, installation: Installation | Patched, written: Sequence[Written]) -> None:
    """Return never; `written` are the file's VirtualServices. Raises EnvironmentFailed, with who did it, when one of
    their hosts has other rules than they say, faults aside, when these are changed, or when the run's own overlay is
    gone."""
    if isinstance(installation, Patched):
        await _watch(cluster, VIRTUAL_SERVICES, _PatchedRules(written, installation))
        return
    await asyncio.gather(
        _watch(cluster, VIRTUAL_SERVICES, _Rules(written, installation)),
        _watch(cluster, ENVOY_FILTERS, _Overlay(installation)),
    )


class _Changes(ABC):
    """What one watch looks at."""

    @abstractmethod
    def known(self, items: list[Json]) -> str:
        """Take the objects as they are when a watch begins. Returns what is wrong since the one before, empty if
        nothing is."""

    @abstractmethod
    def look(self, kind: str, live: Json) -> str:
        """Return what is wrong after a change, empty if nothing is."""


class _Rules(_Changes):
    """The VirtualServices of the run's hosts: when the watch begins they are the file's but for faults, and then they
    stay as they are. Where there were none, the run's own stay there."""

    def __init__(self, written: Sequence[Written], installation: Renewed):
        self._written, self._installation = written, installation
        self._hosts = frozenset(host for each in written for host in hosts_of(each))
        self._known: dict[str, Json] | None = None

    def known(self, items: list[Json]) -> str:
        own = {live["metadata"]["name"] for live in items if self._is_own(live)}
        for each in self._installation.made.wanted if self._installation.there else ():
            if (name := self._installation.marks.name(each.part)) not in own:
                return f"the run's VirtualService {name} is gone"
        theirs = [without_runs(live) for live in items if not self._is_own(live)]
        found = {live["metadata"]["name"]: live for live in virtual_services_of(theirs, self._hosts)}
        if self._known is None:
            self._known = found
            return next(self._others_than_written(found.values()), "")
        gone = [name for name in self._known if name not in found]
        if gone:
            return f"VirtualService {gone[0]} was deleted during the run"
        return next((wrong for live in found.values() if (wrong := self.look("ADDED", live))), "")

    def _others_than_written(self, found: Iterable[Json]) -> Iterator[str]:
        """Yield what has changed since the preflight looked."""
        for each in self._written:
            for live in virtual_services_of(found, hosts_of(each)):
                for difference in differences(spec_of(each), live["spec"]):
                    yield f"VirtualService {live['metadata']['name']} has changed{_by(live)}: {difference}"

    def look(self, kind: str, live: Json) -> str:
        name = live["metadata"]["name"]
        if self._is_own(live):
            return f"the run's VirtualService {name} was deleted by somebody else" if kind == "DELETED" else ""
        live = without_runs(live)
        before = (self._known or {}).get(name)
        if before is None:
            added = kind == "ADDED" and list(virtual_services_of([live], self._hosts))
            return f"VirtualService {name} was added for a host of the run{_by(live)}" if added else ""
        if kind == "DELETED":
            return f"VirtualService {name} was deleted during the run"
        spec, now = before["spec"], live["spec"]
        changed = differences(spec, now) or (["http[].fault"] if spec != now else [])
        return f"VirtualService {name} was changed during the run{_by(live, before)}: {changed[0]}" if changed else ""

    def _is_own(self, live: Json) -> bool:
        return run_of(live) == self._installation.marks.short


class _PatchedRules(_Rules):
    """The same where the run's own routes stand among theirs, and have to stay there."""

    def look(self, kind: str, live: Json) -> str:
        ours = any(is_ours(route, self._installation.marks) for route in live["spec"].get("http") or ())
        concerned = not run_of(live) and bool(list(virtual_services_of([live], self._hosts)))
        if kind == "MODIFIED" and concerned and not ours and self._installation.there:
            return f"the run's routes were taken out of VirtualService {live['metadata']['name']}{_by(live)}"
        return super().look(kind, live)


class _Overlay(_Changes):
    """The run's own overlay."""

    def __init__(self, installation: Installation):
        self._installation = installation

    def known(self, items: list[Json]) -> str:
        marks = self._installation.marks
        there = any(live["metadata"]["name"] == marks.name("overlay") for live in items)
        return "" if there or not self._installation.laid else f"the run's EnvoyFilter {marks.name('overlay')} is gone"

    def look(self, kind: str, live: Json) -> str:
        marks = self._installation.marks
        if run_of(live) != marks.short or kind != "DELETED":
            return ""
        return f"the run's EnvoyFilter {live['metadata']['name']} was deleted by somebody else"


def _by(live: Json, before: Json | None = None) -> str:
    writer = last_writer(live, before)
    return f" by {writer}" if writer else ""


async def _watch(cluster: Cluster, resource: Resource, changes: _Changes) -> None:
    """Watch one kind of object. An API server that is restarted ends the watch, and may not answer for a while."""
    patience = Patience()
    while True:
        wrong = ""
        try:
            listing = await cluster.listing(resource)
            wrong = changes.known(listing.get("items") or [])
            patience.answered()
            if not wrong:
                wrong = await _first_wrong(cluster, resource, changes, listing["metadata"]["resourceVersion"])
        except EnvironmentFailed as error:
            patience.failed(error)
        if wrong:
            raise EnvironmentFailed(wrong)
        await asyncio.sleep(AGAIN)


async def _first_wrong(cluster: Cluster, resource: Resource, changes: _Changes, since: str) -> str:
    """Return what is wrong after the first change with which something is; empty if the watch has ended."""
    async for event in cluster.watch(resource, since):
        kind = str(event.get("type"))
        if kind == "ERROR":  # the version is too old by now: begin anew
            return ""
        if kind != "BOOKMARK" and (wrong := changes.look(kind, event["object"])):
            return wrong
    return ""
