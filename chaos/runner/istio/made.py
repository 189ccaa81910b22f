"""The run's own VirtualServices (chaos/engines/istio/create.py), for hosts that have none in the mesh."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaos.engines.istio.copies import copies
from chaos.engines.istio.create import created
from chaos.engines.istio.marks import Json, Marks, run_of
from chaos.engines.istio.overlay import Generation
from chaos.mesh.compile.rules import Rules
from chaos.runner.istio.api import VIRTUAL_SERVICES, Cluster, Refused
from chaos.runner.istio.hosts import Written, hosts_of, spec_of, virtual_services_of

CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Missing:
    """A host of a VirtualService of the file, a full name, that has none in the mesh; `part` names the run's own."""

    written: Written
    host: str
    part: str

    @property
    def name(self) -> str:
        """The name of the file's VirtualService."""
        return f"{self.written.namespace}/{self.written.name}"

    def document(self, marks: Marks, owner: Json, rules: Rules, generation: Generation) -> Json:
        """Return the run's own VirtualService for the host in a generation."""
        copied = copies(rules, generation.faults, self.name, generation.deeper)
        routes = spec_of(self.written)["http"]
        return created(marks, owner, self.part, self.host, routes, copied, generation.number, generation.phase)


def missing(written: Iterable[Written], live: Iterable[Json]) -> list[Missing]:
    """Return the hosts of the file's VirtualServices of which none is in the mesh, whatever other runs have there."""
    theirs = [each for each in live if not run_of(each)]
    lacking = [each for each in written if each.spec.http and not any(virtual_services_of(theirs, hosts_of(each)))]
    hosts = [(each, host) for each in lacking for host in sorted(hosts_of(each))]
    return [Missing(each, host, f"rules-{number}") for number, (each, host) in enumerate(hosts)]


class Made:
    """Those of one run, which its lease owns."""

    def __init__(self, cluster: Cluster, marks: Marks, owner: Json, wanted: Sequence[Missing]):
        self._cluster, self._marks, self._owner, self.wanted = cluster, marks, owner, wanted
        self._there = set[str]()

    def has(self, key: str) -> bool:
        """Return whether the rule of this key is in one of them."""
        return any(key.startswith(f"virtualservice/{each.name}/") for each in self.wanted)

    async def put(self, rules: Rules, generation: Generation) -> None:
        """Put a generation of them there, in place of the one before. Raises EnvironmentFailed."""
        for each in self.wanted:
            await self._write(each.document(self._marks, self._owner, rules, generation))

    async def _write(self, document: Json) -> None:
        name = document["metadata"]["name"]
        if name not in self._there:
            try:
                await self._cluster.create(VIRTUAL_SERVICES, document)
            except Refused as refused:
                if refused.status != CONFLICT:  # else a try whose answer was lost has made it
                    raise
            else:
                self._there.add(name)
                return
        await self._cluster.patch(VIRTUAL_SERVICES, name, {"spec": document["spec"]})
        self._there.add(name)
