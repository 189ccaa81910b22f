"""Look before anything is changed: rights, the live rules, who keeps them, what others left, and a dry run of every
write. All findings at once, and nothing but reading."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chaos.engines.istio.create import obstacle
from chaos.engines.istio.live import differences
from chaos.engines.istio.marks import MANAGED_BY, MANAGER, Json, run_of
from chaos.engines.istio.owners import owner_of
from chaos.engines.istio.patch import runs_in, without_runs
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
    Cluster,
    connect,
)
from chaos.runner.istio.dry_run import Written, dry_run
from chaos.runner.istio.hosts import hosts_of, spec_of, virtual_services_of
from chaos.runner.istio.made import Missing, missing
from chaos.runner.istio.patched import not_copied
from chaos.runner.istio.services import Live, look
from chaos.runner.istio.settings import Settings

if TYPE_CHECKING:
    from chaos.runner.plan.run_plan import RunPlan

FIRST = "apply the file's own without its faults first"


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
        return await _preflight(cluster, replace(settings, namespace=cluster.namespace), rules, resources)


async def _preflight(
    cluster: Cluster, settings: Settings, rules: Rules, resources: Sequence[Resource[VirtualService]]
) -> Preflight:
    if lacking := await _lacking(cluster, patch=settings.patch):
        problems = [_no_rights(settings, cluster, lacking), *_unselectable(settings, rules, ())]
        return Preflight(tuple(problems), ())
    live = await look(cluster)
    own = missing(resources, live.rules)
    problems = _unselectable(settings, rules, own)
    notes: list[tuple[Severity, str]] = [("info", f"context {cluster.context}, namespace {cluster.namespace}")]
    for resource in resources:
        if resource.spec.http:
            problems += _of_rules(resource, live, [each.host for each in own if each.written is resource], settings)
            keepers = list(_keepers(resource, live.rules))
            if settings.patch:
                problems += [_located(resource, ("spec",), _theirs(name, keeper)) for name, keeper in keepers]
            else:
                notes += [("info", _untouched(name, keeper)) for name, keeper in keepers]
    if own and not problems and not settings.patch and (lacking := await _lacking(cluster, patch=True)):
        problems.append(_no_rights(settings, cluster, lacking, own[0].host))
    notes += [("info", _made(each.host)) for each in own]
    notes += [("warning", text) for text in _with_routes(live)]
    notes += await _of_others(cluster)
    problems += await dry_run(cluster, settings, rules, Written(resources, own, live, sound=not problems))
    return Preflight(tuple(problems), tuple(notes))


def _unselectable(settings: Settings, rules: Rules, own: Sequence[Missing]) -> list[Problem]:
    """Return a problem for each fault that cannot be laid over others' rules alone."""
    if settings.patch:
        return not_copied(rules)
    keys = tuple(f"virtualservice/{each.name}/" for each in own)
    _, problems = targets(rules, [info.key for info in rules.rules if info.faults and not info.key.startswith(keys)])
    return problems


async def _lacking(cluster: Cluster, *, patch: bool) -> list[str]:
    """Return the rights that the user of the context has not."""
    first, *others = wanted = rights(patch=patch)
    # The first alone: kr8s asks four times with credentials that are not accepted, each time over new connections.
    may_first = await cluster.may(first.verb, first.group, first.resource)
    allowed = await asyncio.gather(*(cluster.may(each.verb, each.group, each.resource) for each in others))
    allowed.insert(0, may_first)
    return [str(each) for each, may in zip(wanted, allowed, strict=True) if not may]


def _no_rights(settings: Settings, cluster: Cluster, lacking: list[str], host: str = "") -> Problem:
    """Return the problem; `host` is one without rules, for which rights to write VirtualServices are needed."""
    text = f"context {settings.context} may not {', '.join(lacking)} in namespace {cluster.namespace}"
    why = f", where the run has to make a VirtualService for {host}" if host else ""
    option = " --patch" if settings.patch or host else ""
    way = f"`chaos export rbac -n {cluster.namespace}{option}` prints the Role that lets it"
    return Problem(Location("--context", 0), "", f"{text}{why}; {way}", code="rights")


def _of_rules(
    resource: Resource[VirtualService], live: Live, own: Sequence[str], settings: Settings
) -> Iterator[Problem]:
    """Yield what is wrong with the live rules of the hosts of a VirtualService of the file; `own` are those for which
    the run makes one."""
    theirs = [each for each in live.rules if not run_of(each)]
    for index, host in enumerate(resource.spec.hosts):
        name = full_name(host, resource.namespace)
        found = list(virtual_services_of(theirs, {name}))
        path = ("spec", "hosts", index)
        if name in own:
            if text := _unmade(resource, host, name, live, settings):
                yield _located(resource, path, text)
        elif not found:
            others = listed([str(each) for each in resource.spec.hosts if each != host])
            text = f"{host} has no VirtualService in namespace {settings.namespace}, as {others} has"
            yield _located(resource, path, f"{text}; {FIRST}")
        elif len(found) > 1:
            names = listed([each["metadata"]["name"] for each in found])
            text = f"{host} has several VirtualServices in the mesh ({names}), which Istio merges"
            yield _located(resource, path, f"{text}; a run needs one")
        else:
            yield from _compared(resource, without_runs(found[0]))
            return


def _unmade(resource: Resource[VirtualService], host: str, name: str, live: Live, settings: Settings) -> str:
    """Return why the run cannot make a VirtualService for a host, empty if it can."""
    where = settings.namespace
    if not live.has(name):
        return f"neither a VirtualService nor a Service or ServiceEntry of namespace {where} has the host {host}"
    others = [run_of(each) for each in virtual_services_of(live.rules, {name})]
    if others:
        return f"run {others[0]} has a VirtualService of its own for {host}; wait for its end, or `chaos recover`"
    trouble = obstacle(resource.spec, resource.namespace, name, where)
    if not trouble and not live.is_service(name):
        trouble = "it is no service by itself, so nobody else's requests have a default route to it"
    if not trouble and (above := live.above(name)) is not None:
        trouble = f"VirtualService {above['metadata']['name']} has it under a wildcard, and would lose it"
    if not trouble and settings.everybody:
        trouble = "with --scope all everybody would get the file's rules, too"
    text = f"{host} has no VirtualService in namespace {where}, and the run cannot make one of its own: {trouble}"
    return f"{text}; {FIRST}" if trouble else ""


def _made(host: str) -> str:
    return (
        f"{host} has no VirtualService: the run makes one while it lasts; its own requests take the file's rules, "
        "all others go to the host as before"
    )


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


def _with_routes(live: Live) -> Iterator[str]:
    """Yield a note for each VirtualService in which runs have routes."""
    for each in live.rules:
        if not run_of(each) and (runs := runs_in(each)):
            text = f"VirtualService {each['metadata']['name']} has routes of {listed([f'run {run}' for run in runs])}"
            yield f"{text}, which nobody else's requests take; `chaos recover` takes them out"


async def _of_others(cluster: Cluster) -> list[tuple[Severity, str]]:
    """Return a note for each run that has objects there."""
    there = await cluster.items(ENVOY_FILTERS, f"{MANAGED_BY}={MANAGER}")
    runs = sorted({run_of(each) or "?" for each in there})
    text = "has faults in this namespace, perhaps for other requests of the same routes; `chaos recover` removes it"
    return [("warning", f"run {run} {text}") for run in runs]


def _located(resource: Resource[VirtualService], path: tuple[str | int, ...], message: str) -> Problem:
    return Problem(resource.locate(path), resource.path(path), message, code="mesh")
