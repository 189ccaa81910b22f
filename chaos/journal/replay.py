"""Compute again which requests of a run were faulted: ids, tasks and draws follow from the seed, so nothing has to be
stored.

This works for requests that went through the gateway under one set of rules. The calls of an application under test are
known only from the run's `faulted` records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chaos.journal.identity import Identities, shares_of, task_of
from chaos.mesh.compile.rules import Rules
from chaos.mesh.decision import Headers, Request
from chaos.mesh.draws import keyed_draws


@dataclass(frozen=True, slots=True)
class FaultedRequest:
    """One faulted request; `fault` is its tag (Decision.fault), `rule` the rule's key."""

    task: str
    id: str
    rule: str
    fault: str


def faulted_requests(load: Mapping[str, Any], rules: Rules, numbers: Iterable[int]) -> Iterator[FaultedRequest]:
    """Yield the faulted requests among those with these numbers, of a run with this load plan."""
    tasks = load["tasks"]
    forms = [None if task.get("direct") else request_of(task) for task in tasks]
    shares = shares_of(task.get("weight", 1) for task in tasks)
    identify, draws = Identities(load["seed"]), keyed_draws(load["seed"])
    for number in numbers:
        request_id, draw = identify(number)
        index = task_of(shares, draw)
        form = forms[index]
        if form is None:
            continue
        form.id = request_id.encode()
        form.headers[-1] = (b"x-request-id", form.id)
        decision = rules.decide(form, draws(form.id))
        if decision.rule is not None and decision.fault:
            yield FaultedRequest(tasks[index]["name"], request_id, decision.rule.key, decision.fault)


def requests_in(load: Mapping[str, Any], numbers: Iterable[int], *, direct: bool) -> dict[str, str]:
    """Return the tasks of the requests with these numbers, by id: either of those sent directly, or of the others."""
    tasks = load["tasks"]
    if not any(bool(task.get("direct")) is direct for task in tasks):
        return {}
    shares, identify = shares_of(task.get("weight", 1) for task in tasks), Identities(load["seed"])
    made = ((request, tasks[task_of(shares, draw)]) for request, draw in map(identify, numbers))
    return {request: task["name"] for request, task in made if bool(task.get("direct")) is direct}


def request_of(task: Mapping[str, Any]) -> Request:
    """Return a task's request as the gateway sees it; its last header is the id, still empty."""
    parts = urlsplit(task["url"])
    given: Headers = [(name.lower().encode(), value.encode()) for name, value in (task.get("headers") or {}).items()]
    host = next((value for name, value in given if name == b"host"), parts.netloc.rpartition("@")[2].encode())
    others = [(name, value) for name, value in given if name not in (b"host", b"x-request-id")]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = [(b"host", host), *others, (b"x-request-id", b"")]
    return Request(task.get("method", "GET").encode(), target.encode(), host, headers)
