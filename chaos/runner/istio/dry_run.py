"""Ask the API server and Istio's admission what they would say to every write of a run, and write nothing."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from chaos.engines.istio.copies import copies
from chaos.engines.istio.lease import lease, owner
from chaos.engines.istio.marks import run_of
from chaos.engines.istio.overlay import Generation, overlay
from chaos.engines.istio.patch import patch
from chaos.engines.istio.targets import Target, targets
from chaos.errors import Location, Problem
from chaos.mesh.compile.rules import Rules
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import VirtualService
from chaos.runner.istio.api import ENVOY_FILTERS, JOBS, VIRTUAL_SERVICES, Cluster, Refused
from chaos.runner.istio.hosts import hosts_of, virtual_services_of
from chaos.runner.istio.made import Missing
from chaos.runner.istio.patched import change
from chaos.runner.istio.services import Live
from chaos.runner.istio.settings import Settings


@dataclass(frozen=True, slots=True)
class Written:
    """What a run writes about: the file's VirtualServices, those of the mesh, and hosts that have none there. If the
    live rules are not `sound`, a patch of them says nothing."""

    resources: Sequence[Resource[VirtualService]]
    own: Sequence[Missing]
    live: Live
    sound: bool


async def dry_run(cluster: Cluster, settings: Settings, rules: Rules, written: Written) -> list[Problem]:
    """Return what the API server and Istio's admission would say to every write."""
    marks = settings.marks
    nobody = owner({"metadata": {"name": marks.name("lease"), "uid": "00000000-0000-0000-0000-000000000000"}})
    generation = Generation(1, "", {info.key: info.faults for info in rules.rules}, frozenset(settings.deeper))
    writes: list[tuple[str, Coroutine[Any, Any, Any]]] = [("Job", cluster.create(JOBS, lease(marks), dry_run=True))]
    for missed in written.own if written.sound else ():
        document = missed.document(marks, nobody, rules, generation)
        made = cluster.create(VIRTUAL_SERVICES, document, dry_run=True)
        writes.append((f"VirtualService for {missed.host}", made))
    if settings.patch:
        writes += _patches(cluster, settings, rules, written)
    elif (found := _laid_over(rules, written)) or not written.own:
        document = overlay(marks, nobody, found, generation, everybody=settings.everybody)
        writes.append(("EnvoyFilter", cluster.create(ENVOY_FILTERS, document, dry_run=True)))
    problems = []
    for what, write in writes:
        try:
            await write
        except Refused as refused:
            if refused.status >= 500:  # it says nothing about the run: a webhook does not answer
                raise
            text = f"the API server would refuse the run's {what}: {refused}"
            problems.append(Problem(Location("--context", 0), "", text, code="admission"))
    return problems


def _laid_over(rules: Rules, written: Written) -> list[Target]:
    keys = tuple(f"virtualservice/{each.name}/" for each in written.own)
    return [each for each in targets(rules, (), written.live.served())[0] if not each.key.startswith(keys)]


def _patches(
    cluster: Cluster, settings: Settings, rules: Rules, written: Written
) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
    """Yield the changes of VirtualServices, as dry runs."""
    faults = {info.key: info.faults for info in rules.rules}
    theirs = [each for each in written.live.rules if not run_of(each)]
    for resource in written.resources if written.sound else ():
        copied = copies(rules, faults, f"{resource.namespace}/{resource.name}", settings.deeper)
        for found in virtual_services_of(theirs, hosts_of(resource)) if copied else ():
            name = found["metadata"]["name"]
            wanted = partial(patch, marks=settings.marks, copied=copied, generation=1, phase="")
            yield f"change of VirtualService {name}", change(cluster, name, wanted, dry_run=True)
