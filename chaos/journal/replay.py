"""Compute again which requests of a run were faulted: ids, tasks and draws follow from the seed, so nothing has to be
stored.

This works for requests that went through the gateway under one set of rules. The calls of an application under test are
known only from the run's `faulted` records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from chaos.experiment.feeder import Feeder, filled
from chaos.journal.identity import Identities, row_of, shares_of, task_of
from chaos.mesh.compile.rules import Rules
from chaos.mesh.decision import Headers, Request
from chaos.mesh.draws import keyed_draws
from chaos.policies.compiled import NO_POLICIES, Policies, Policy, met_ahead
from chaos.protocol.load_plan import Task


@dataclass(frozen=True, slots=True)
class FaultedRequest:
    """One faulted request; `fault` is its tag (Decision.fault), `rule` the rule's key, `number` its place in the
    run. `policies` are those whose faults it met; one that a policy ended has met no rule."""

    task: str
    id: str
    rule: str
    fault: str
    number: int
    policies: tuple[Policy, ...] = ()


def faulted_requests(
    load: Mapping[str, Any], rules: Rules, numbers: Iterable[int], policies: Policies = NO_POLICIES
) -> Iterator[FaultedRequest]:
    """Yield the faulted requests among those with these numbers, of a run with this load plan. Of the policies those
    count that are computed from a request's id."""
    tasks = [_task(each) for each in load["tasks"]]
    feeder = Feeder.of(load["feeder"]) if load.get("feeder") else None
    forms = [None if task.direct else _forms(task, feeder) for task in tasks]
    shares = shares_of(task.weight for task in tasks)
    identify, draws = Identities(load["seed"]), keyed_draws(load["seed"])
    for number in numbers:
        request_id, draw = identify(number)
        index = task_of(shares, draw)
        form_of = forms[index]
        if form_of is None:
            continue
        form = form_of(0 if feeder is None else row_of(feeder.order, len(feeder.rows), number, request_id))
        form.id = request_id.encode()
        form.headers[-1] = (b"x-request-id", form.id)
        drawn = draws(form.id)
        met = met_ahead(policies.about(form), drawn) if policies else ()
        if any(each.fault.ends for each in met):
            yield FaultedRequest(tasks[index].name, request_id, met[0].key, "", number, met)
            continue
        decision = rules.decide(form, drawn)
        if decision.rule is not None and (decision.fault or met):
            yield FaultedRequest(tasks[index].name, request_id, decision.rule.key, decision.fault, number, met)


def _task(value: Mapping[str, Any]) -> Task:
    """Return a task of a load plan; what the load itself does not know of it is left out."""
    return Task.of({each.name: value[each.name] for each in fields(Task) if each.name in value})


def _forms(task: Task, feeder: Feeder | None) -> Callable[[int], Request]:
    """Return what gives a task's request for a row: one object a row, or one for all that are alike."""
    if feeder is None or task.fed is None:
        only = request_of(task)
        return lambda row: only
    return cache(lambda row: request_of(filled(task, feeder.row(row))))


def requests_in(load: Mapping[str, Any], numbers: Iterable[int], *, direct: bool) -> dict[str, tuple[str, int]]:
    """Return task and number of the requests with these numbers, by id: either of those sent directly, or of the
    others."""
    tasks = load["tasks"]
    if not any(bool(task.get("direct")) is direct for task in tasks):
        return {}
    shares, identify = shares_of(task.get("weight", 1) for task in tasks), Identities(load["seed"])
    made = (
        (number, request, tasks[task_of(shares, draw)]) for number in numbers for request, draw in [identify(number)]
    )
    return {request: (task["name"], number) for number, request, task in made if bool(task.get("direct")) is direct}


def request_of(task: Task) -> Request:
    """Return a task's request as the gateway sees it; its last header is the id, still empty."""
    given: Headers = [(name.lower().encode(), value.encode()) for name, value in task.headers.items()]
    host = next((value for name, value in given if name == b"host"), task.host.encode())
    others = [(name, value) for name, value in given if name not in (b"host", b"x-request-id")]
    headers = [(b"host", host), *others, (b"x-request-id", b"")]
    return Request(task.method.encode(), task.target.encode(), host, headers)
