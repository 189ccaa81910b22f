"""Find the rule that takes each load task, by letting the compiled rules decide, and the effects of all such rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chaos.claims.effects import Effect, ReplyKind, Retries
from chaos.experiment.tasks import LoadTask, request_of
from chaos.faults import AbortFault, FaultKind, RuleFault
from chaos.mesh.compile.rules import Rules
from chaos.mesh.compile.summary import RuleInfo
from chaos.mesh.decision import Abort, BadRequest, Decision, DirectResponse, NoRoute, Preflight, Redirect, Reply
from chaos.mesh.draws import FixedDraws
from chaos.mesh.headers.grpc import is_grpc
from chaos.mesh.headers.names import value_of
from chaos.statuses import as_met, of_grpc

EVERY_FAULT, NO_FAULT = FixedDraws(), FixedDraws(others=dict.fromkeys(FaultKind, 1.0))


@dataclass(frozen=True, slots=True)
class TaskRoute:
    """Where the requests of one task go: the rule's key (empty without a rule), a reply that the proxy makes itself,
    and the status with which requests are aborted. `grpc`: they are gRPC calls, whose statuses these are then."""

    rule: str
    reply: ReplyKind | None = None
    reply_status: int = 0
    abort_status: int = 0
    grpc: bool = False


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
        taken = _together({route: names for route, names in routes.items() if route.rule == info.key}, info)
        found += [_effect(info, route, tuple(names), _patience(tasks, names)) for route, names in taken]
        if others and not taken and _worth_verifying(info):
            found.append(_effect(info, _own_route(info), None))
    return tuple(found)


def _together(routes: Mapping[TaskRoute, list[str]], info: RuleInfo) -> list[tuple[TaskRoute, list[str]]]:
    """Return the routes of one rule with their tasks, those that differ only in the kind of client as one: the gateway
    counts all requests of a rule together. Its statuses are those that the rule has."""
    found: dict[TaskRoute, list[str]] = {}
    for route, names in routes.items():
        other = next((each for each in found if each.reply == route.reply and each.grpc != route.grpc), None)
        if other is None:
            found[route] = list(names)
        else:
            http = other if route.grpc else route
            both = replace(http, abort_status=_abort_status(info), grpc=True)
            found[both] = [*found.pop(other), *names]
    return list(found.items())


def _patience(tasks: Iterable[LoadTask], names: Sequence[str]) -> float:
    """Return how long the most patient of these tasks waits, in seconds."""
    return max(task.timeout for task in tasks if task.name in names)


def route_of(rules: Rules, task: LoadTask) -> TaskRoute:
    """Return the route of one task. Decides its request twice: with no fault, and with every fault that can fire."""
    request = request_of(task)
    decision = rules.decide(request, NO_FAULT)
    aborted = rules.decide(request, EVERY_FAULT).action
    grpc = is_grpc(request)
    reply, status = _reply(decision, grpc)
    info = rules.info(decision.rule.key) if decision.rule else None
    abort_status = _status(aborted.reply, grpc) if isinstance(aborted, Abort) else as_met(_abort_status(info), grpc)
    return TaskRoute(decision.rule.key if decision.rule else "", reply, status, abort_status, grpc)


def _status(reply: Reply, grpc: bool) -> int:
    """Return the status that a client gets by a reply: one of gRPC its own, which it takes from HTTP's if there is
    none."""
    if not grpc:
        return reply.status
    own = value_of(list(reply.headers), b"grpc-status")
    return of_grpc(int(own)) if own else as_met(reply.status, grpc)


def _abort_status(info: RuleInfo | None) -> int:
    """Return the status with which the rule aborts, as it is written: HTTP's or gRPC's."""
    abort = info.fault(AbortFault) if info is not None else None
    if abort is None:
        return 0
    return abort.status if abort.grpc_status is None else of_grpc(abort.grpc_status)


def _reply(decision: Decision, grpc: bool) -> tuple[ReplyKind | None, int]:
    match decision.action:
        case Redirect(reply):
            return "redirect", _status(reply, grpc)
        case DirectResponse(reply) | Preflight(reply) | BadRequest(reply):
            return "direct-response", _status(reply, grpc)
        case NoRoute(reply):
            return "no-route", _status(reply, grpc)
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
    return Effect(
        "", "", tasks=tuple(tasks), reply=route.reply or "no-route", reply_status=route.reply_status, grpc=route.grpc
    )


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
        grpc=route.grpc,
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
    unanswered = not {"reset", "connect-failure", "refused-stream"}.isdisjoint(own.retry_on)
    return Retries(own.attempts, own.retried, own.per_try_timeout, ",".join(own.retry_on), unanswered)


def untouched(rules: Rules, effects: Iterable[Effect]) -> Iterator[RuleInfo]:
    """Return the rules of VirtualServices that no task reaches, about which a run can find out nothing."""
    reached = {effect.key for effect in effects}
    return (info for info in rules.rules if not info.is_default and info.key not in reached)
