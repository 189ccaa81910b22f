"""Look before anything is changed: rights, the live rules, who keeps them, what others left, and a dry run of every
write. All findings at once, and nothing but reading."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaos.engines.istio.copies import copies, delegated
from chaos.engines.istio.lease import lease, owner
from chaos.engines.istio.live import differences
from chaos.engines.istio.marks import MANAGED_BY, MANAGER, RUN_LABEL, Json
from chaos.engines.istio.overlay import Generation, overlay
from chaos.engines.istio.owners import owner_of
from chaos.engines.istio.patch import patch
from chaos.engines.istio.rights import rights
from chaos.engines.istio.targets import targets
from chaos.errors import InvalidInput, Location, Problem, Severity
from chaos.formatting import listed
from chaos.mesh.compile.rules import Rules
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import full_name
from chaos.runner.istio.api import (
    ENVOY_FILTERS,
    JOBS,
    JSON_PATCH,
    SERVICES,
    VIRTUAL_SERVICES,
    Cluster,
    Refused,
    connect,
)
from chaos.runner.istio.hosts import hosts_of, spec_of, virtual_services_of
from chaos.runner.istio.settings import Settings

if TYPE_CHECKING:
    from chaos.runner.plan.run_plan import RunPlan


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found: `problems` with which nothing starts, and `notes` for the terminal."""

    problems: tuple[Problem, ...]
    notes: tuple[tuple[Severity, str], ...]

    def require(self) -> None:
        """Raise InvalidInput if anything is in the way."""
        if self.problems:
            raise InvalidInput(self.problems)


async def preflight_of(plan: RunPlan) -> Preflight:
    """Return what stands in the way of a planned run."""
    settings = plan.options.engine.mesh
    assert settings is not None
    return await preflight(settings, plan.rules, plan.prepared.reading.resources.virtual_services)


async def preflight(settings: Settings, rules: Rules, resources: Sequence[Resource[VirtualService]]) -> Preflight:
    """Return what stands in the way of a run. Raises InvalidInput for a context that there is not, and
    EnvironmentFailed for an API server that does not answer or does not know who asks."""
    async with await connect(settings.context, settings.namespace) as cluster:
        return await _preflight(cluster, settings, rules, resources)


async def _preflight(
    cluster: Cluster, settings: Settings, rules: Rules, resources: Sequence[Resource[VirtualService]]
) -> Preflight:
    _, problems = targets(rules, [info.key for info in rules.rules if info.faults])
    if settings.patch:
        problems = list(_delegated(rules))
    lacking = await _lacking(cluster, patch=settings.patch)
    if lacking:
        return Preflight((_no_rights(settings, cluster, lacking), *problems), ())
    notes: list[tuple[Severity, str]] = [("info", f"context {cluster.context}, namespace {cluster.namespace}")]
    live = await cluster.items(VIRTUAL_SERVICES)
    services = {service["metadata"]["name"] for service in await cluster.items(SERVICES)}
    for resource in resources:
        if resource.spec.http:
            problems += _of_rules(resource, live, services, cluster)
            keepers = list(_keepers(resource, live))
            if settings.patch:
                problems += [_located(resource, ("spec",), _theirs(name, keeper)) for name, keeper in keepers]
            else:
                notes += [("info", _untouched(name, keeper)) for name, keeper in keepers]
    notes += await _of_others(cluster)
    patched = [] if problems else resources  # a patch of other rules than the file's says nothing
    problems += await _dry_run(cluster, settings, rules, patched, live)
    return Preflight(tuple(problems), tuple(notes))


def _delegated(rules: Rules) -> Iterator[Problem]:
    """Yield a problem for each rule of a delegate: a patch of the root does not reach it."""
    for info in delegated(rules):
        if info.faults:
            text = f"{info.name} is a delegate's rule, which --patch does not copy; leave --patch out"
            yield Problem(info.location or Location("rules"), "", text, code="mesh")


async def _lacking(cluster: Cluster, *, patch: bool) -> list[str]:
    """Return the rights that the user of the context has not."""
    first, *others = wanted = rights(patch=patch)
    # The first alone: kr8s asks four times with credentials that are not accepted, each time over new connections.
    may_first = await cluster.may(first.verb, first.group, first.resource)
    allowed = await asyncio.gather(*(cluster.may(each.verb, each.group, each.resource) for each in others))
    allowed.insert(0, may_first)
    return [str(each) for each, may in zip(wanted, allowed, strict=True) if not may]


def _no_rights(settings: Settings, cluster: Cluster, lacking: list[str]) -> Problem:
    text = f"context {settings.context} may not {', '.join(lacking)} in namespace {cluster.namespace}"
    option = " --patch" if settings.patch else ""
    way = f"`chaos export rbac -n {cluster.namespace}{option}` prints the Role that lets it"
    return Problem(Location("--context", 0), "", f"{text}; {way}", code="rights")


def _of_rules(
    resource: Resource[VirtualService], live: list[Json], services: set[str], cluster: Cluster
) -> Iterator[Problem]:
    """Yield what is wrong with the live rules of the hosts of a VirtualService of the file."""
    for index, host in enumerate(resource.spec.hosts):
        name = full_name(host, resource.namespace)
        found = list(virtual_services_of(live, {name}))
        path = ("spec", "hosts", index)
        if not found:
            yield _located(resource, path, _nobody(host, name, services, cluster))
        elif len(found) > 1:
            names = listed([each["metadata"]["name"] for each in found])
            text = f"{host} has several VirtualServices in the mesh ({names}), which Istio merges"
            yield _located(resource, path, f"{text}; a run needs one")
        else:
            yield from _compared(resource, found[0])
            return


def _nobody(host: str, name: str, services: set[str], cluster: Cluster) -> str:
    if name.split(".")[0] in services:
        return (
            f"{host} has no VirtualService in namespace {cluster.namespace}, so there are no routes for faults; "
            "apply the file's own without its faults first"
        )
    return f"neither a VirtualService nor a Service of namespace {cluster.namespace} has the host {host}"


def _compared(resource: Resource[VirtualService], live: Json) -> Iterator[Problem]:
    name = live["metadata"]["name"]
    for difference in differences(spec_of(resource), live["spec"]):
        text = f"the rules of VirtualService {name} in the mesh are others: {difference}"
        yield _located(resource, ("spec",), f"{text}; run what is there, or apply the file first")
    for index, route in enumerate(live["spec"].get("http") or ()):
        if route.get("fault"):
            text = f"VirtualService {name} has a fault of its own in the mesh, http[{index}].fault"
            yield _located(resource, ("spec",), f"{text}; everybody's requests meet it already, take it out first")


def _keepers(resource: Resource[VirtualService], live: list[Json]) -> Iterator[tuple[str, str]]:
    """Yield the live VirtualServices that somebody keeps, each with who does."""
    for found in virtual_services_of(live, hosts_of(resource)):
        if keeper := owner_of(found):
            yield found["metadata"]["name"], keeper


def _untouched(name: str, keeper: str) -> str:
    return f"VirtualService {name} is kept by {keeper}; the overlay does not touch it"


def _theirs(name: str, keeper: str) -> str:
    return f"VirtualService {name} is kept by {keeper}, which would undo a patch; leave --patch out"


async def _of_others(cluster: Cluster) -> list[tuple[Severity, str]]:
    """Return a note for each run that has objects there."""
    there = await cluster.items(ENVOY_FILTERS, f"{MANAGED_BY}={MANAGER}")
    runs = sorted({str((each["metadata"].get("labels") or {}).get(RUN_LABEL, "?")) for each in there})
    text = "has faults in this namespace, perhaps for other requests of the same routes; `chaos recover` removes it"
    return [("warning", f"run {run} {text}") for run in runs]


async def _dry_run(
    cluster: Cluster, settings: Settings, rules: Rules, resources: Sequence[Resource[VirtualService]], live: list[Json]
) -> list[Problem]:
    """Return what the API server and Istio's admission would say to every write."""
    marks = settings.marks
    faults = {info.key: info.faults for info in rules.rules}
    generation = Generation(1, "", faults)
    writes = [("Job", cluster.create(JOBS, lease(marks), dry_run=True))]
    if settings.patch:
        for resource in resources:
            copied = copies(rules, faults, f"{resource.namespace}/{resource.name}")
            for found in virtual_services_of(live, hosts_of(resource)) if copied else ():
                name, change = found["metadata"]["name"], patch(found, marks, copied, 1, "")
                written = cluster.patch(VIRTUAL_SERVICES, name, change, kind=JSON_PATCH, dry_run=True)
                writes.append((f"change of VirtualService {name}", written))
    else:
        nobody = owner({"metadata": {"name": marks.name("lease"), "uid": "00000000-0000-0000-0000-000000000000"}})
        found_targets, _ = targets(rules, ())
        document = overlay(marks, nobody, found_targets, generation, everybody=settings.everybody)
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


def _located(resource: Resource[VirtualService], path: tuple[str | int, ...], message: str) -> Problem:
    return Problem(resource.locate(path), resource.path(path), message, code="mesh")
