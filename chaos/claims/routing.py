"""Find the rule that takes each load task, by letting the compiled rules decide, and the effects of all such rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chaos.claims.effects import Effect, ReplyKind, Retries
from chaos.experiment.tasks import LoadTask, request_of
from chaos.faults import AbortFault, FaultKind, RuleFault
from chaos.mesh.compile.rules import Rules
from chaos.mesh.compile.summary import RuleInfo
from chaos.mesh.decision import Abort, BadRequest, Decision, DirectResponse, NoRoute, Preflight, Redirect
from chaos.mesh.draws import FixedDraws

EVERY_FAULT, NO_FAULT = FixedDraws(), FixedDraws(others=dict.fromkeys(FaultKind, 1.0))


@dataclass(frozen=True, slots=True)
class TaskRoute:
    """Where the requests of one task go: the rule's key (empty without a rule), a reply that the proxy makes itself,
    and the status with which requests are aborted."""

    rule: str
    reply: ReplyKind | None = None
    reply_status: int = 0
    abort_status: int = 0


def effects_of(rules: Rules, tasks: Sequence[LoadTask], *, others: bool = False) -> tuple[Effect, ...]:
    """Return what the rules do to the load's requests, in the order of the rules. Tasks that do not go through the
    gateway are left out.

    With `others`, requests also come from elsewhere (an application under test, a locustfile): then every rule with
    something to verify has an effect, with `tasks` None if no task takes it."""
    routes: dict[TaskRoute, list[str]] = {}
    for task in tasks:
        if not task.direct:
            routes.setdefault(route_of(rules, task), []).append(task.name)
    found = [_unrouted(route, names) for route, names in routes.items() if not route.rule]
    for info in rules.rules:
        taken = [(route, names) for route, names in routes.items() if route.rule == info.key]
        found += [_effect(info, route, tuple(names), _patience(tasks, names)) for route, names in taken]
        if others and not taken and _worth_verifying(info):
            found.append(_effect(info, _own_route(info), None))
    return tuple(found)


def _patience(tasks: Iterable[LoadTask], names: Sequence[str]) -> float:
    """Return how long the most patient of these tasks waits, in seconds."""
    return max(task.timeout for task in tasks if task.name in names)


def route_of(rules: Rules, task: LoadTask) -> TaskRoute:
    """Return the route of one task. Decides its request twice: with no fault, and with every fault that can fire."""
    request = request_of(task)
    decision = rules.decide(request, NO_FAULT)
    aborted = rules.decide(request, EVERY_FAULT).action
    reply, status = _reply(decision)
    info = rules.info(decision.rule.key) if decision.rule else None
    abort_status = aborted.reply.status if isinstance(aborted, Abort) else _abort_status(info)
    return TaskRoute(decision.rule.key if decision.rule else "", reply, status, abort_status)


def _abort_status(info: RuleInfo | None) -> int:
    abort = info.fault(AbortFault) if info is not None else None
    return abort.status if abort is not None else 0


def _reply(decision: Decision) -> tuple[ReplyKind | None, int]:
    match decision.action:
        case Redirect(reply):
            return "redirect", reply.status
        case DirectResponse(reply) | Preflight(reply) | BadRequest(reply):
            return "direct-response", reply.status
        case NoRoute(reply):
            return "no-route", reply.status
        case _:
            return None, 0


def _own_route(info: RuleInfo) -> TaskRoute:
    """Return the route that follows from the rule alone, without a request."""
    if info.redirect_code is not None:
        return TaskRoute(info.key, "redirect", info.redirect_code)
    if info.direct_response is not None:
        return TaskRoute(info.key, "direct-response", info.direct_response)
    return TaskRoute(info.key, abort_status=_abort_status(info))


def _worth_verifying(info: RuleInfo) -> bool:
    """Return whether the rule has a fault, a split or retries, which the gateway's counters alone can show."""
    chance = bool(info.faults) or len(_shares(info)) > 1
    return bool(info.hosts) and (chance or _retries(info) is not None)


def _unrouted(route: TaskRoute, tasks: list[str]) -> Effect:
    return Effect("", "", tasks=tuple(tasks), reply=route.reply or "no-route", reply_status=route.reply_status)


def _effect(info: RuleInfo, route: TaskRoute, tasks: tuple[str, ...] | None, patience: float | None = None) -> Effect:
    known = all(destination.known for destination in info.destinations)
    return Effect(
        info.key,
        info.name,
        str(info.location or ""),
        tasks,
        faults=tuple(_as_met(fault, route) for fault in info.faults),
        destinations=tuple(_shares(info).items()) if known else (),
        unreachable=not known,
        mirrors=tuple((name, percent.fraction) for name, percent in info.mirrors),
        retries=_retries(info),
        timeout=info.timeout,
        patience=patience,
        reply=route.reply,
        reply_status=route.reply_status,
    )


def _as_met(fault: RuleFault, route: TaskRoute) -> RuleFault:
    """Return the fault as these tasks meet it: a gRPC client gets another status from the same abort."""
    return replace(fault, status=route.abort_status) if isinstance(fault, AbortFault) else fault


def _shares(info: RuleInfo) -> Mapping[str, float]:
    """Return the share of each destination that gets requests; one that is listed twice has the sum of its shares."""
    shares: dict[str, float] = {}
    for destination in info.destinations:
        if destination.share > 0:
            shares[destination.name] = shares.get(destination.name, 0.0) + destination.share
    return shares


def _retries(info: RuleInfo) -> Retries | None:
    """Return the retries that the user wrote; None for Istio's default, which the user claims nothing about."""
    own = info.retries
    if own is None or own.is_default or own.attempts <= 0:
        return None
    return Retries(own.attempts, own.retried, own.per_try_timeout, ",".join(own.retry_on))


def untouched(rules: Rules, effects: Iterable[Effect]) -> Iterator[RuleInfo]:
    """Return the rules of VirtualServices that no task reaches, about which a run can find out nothing."""
    reached = {effect.key for effect in effects}
    return (info for info in rules.rules if not info.is_default and info.key not in reached)
