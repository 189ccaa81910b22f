"""The policies of an experiment beside its phases, its rules and its load: what names a host or a phase that there is
not, what whoever carries out the rules cannot carry out, and what no task reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from chaos.claims.effects import PhaseEffects
from chaos.errors import InvalidInput, Problem
from chaos.experiment.read import Reading
from chaos.mesh.compile.rules import Rules
from chaos.policies.check import phase_problems, routing_problems, stranger_problems, worker_problems
from chaos.runner.plan.engines import EngineName
from chaos.runner.plan.phases import phases_of

_LACKS = {
    EngineName.ENVOY: "an Envoy does not say which policy a request has met, so nothing could be verified of it; "
    "run it with our own gateway, or write what an Envoy can do with chaos export envoy",
    EngineName.ISTIO: "a mesh has no faults but those of VirtualServices; run it with our own gateway",
}


def require_policies(reading: Reading, engine: EngineName, workers: int) -> None:
    """Raise InvalidInput for policies that the engine does not have, or that several workers would count each for
    itself."""
    if engine in _LACKS:
        found = list(stranger_problems(reading.policies, _LACKS[engine]))
    else:
        found = list(worker_problems(reading.policies, workers))
    if found:
        raise InvalidInput(found)


def unknown_phases(reading: Reading) -> list[Problem]:
    """Return the problems of policies for a phase that the experiment does not have. Without an experiment there may be
    any: somebody may set them by hand."""
    if reading.document is None:
        return []
    return list(
        phase_problems(reading.policies, [phase.name for phase in phases_of(reading.experiment.spec) if phase.name])
    )


def unrouted(reading: Reading, rules: Rules) -> list[Problem]:
    """Return the problems of policies for a host that nobody routes to. A file that has nothing but policies is not
    asked, nor one whose phases have rules of their own, which the planner reads."""
    resources = reading.resources
    alone = reading.document is None and not any(
        (resources.virtual_services, resources.service_entries, resources.services)
    )
    if alone or own_rules(reading):
        return []
    return list(routing_problems(reading.policies, rules))


def own_rules(reading: Reading) -> bool:
    """Return whether a phase of the experiment has rules of its own."""
    return any(phase.rules for phase in reading.experiment.spec.phases)


def require_hosts(reading: Reading, rules: Sequence[Rules]) -> None:
    """Raise InvalidInput for policies for a host that nobody routes to in any phase."""
    found = list(routing_problems(reading.policies, *rules))
    if found:
        raise InvalidInput(found)


def unreached_policies(reading: Reading, effects: Sequence[PhaseEffects]) -> Iterator[Problem]:
    """Yield a warning for each policy that is about no request of any task."""
    reached = {each.name for phase in effects for each in phase.policies if each.tasks is None or each.tasks}
    for each in reading.policies:
        if each.name not in reached:
            message = (
                "no task is among its requests, so nothing is known of it; add a task that is, or remove the policy"
            )
            yield replace(each.problem(("spec", "targets"), message, "policy-without-task"), severity="warning")
