"""Which rule takes each load task, by asking the rules themselves, and what the rule then does: the effects of a
phase."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chaos.claims.effects import Effect, ReplyKind, Retries
from chaos.experiment.tasks import LoadTask, request_of
from chaos.mesh.compile.rules import Rules
from chaos.mesh.compile.summary import RuleInfo
from chaos.mesh.decision import Abort, BadRequest, Decision, DirectResponse, NoRoute, Preflight, Redirect


@dataclass(frozen=True, slots=True)
class Fixed:
    """Draws that are all the same number: 0.0 makes every fault fire that can, 1.0 none at all."""

    number: float

    @property
    def delay(self) -> float:
        return self.number

    @property
    def abort(self) -> float:
        return self.number

    @property
    def split(self) -> float:
        return min(self.number, 0.999999)

    def mirror(self, index: int) -> float:
        return self.number


EVERY_FAULT, NO_FAULT = Fixed(0.0), Fixed(1.0)


@dataclass(frozen=True, slots=True)
class Way:
    """What happens to the requests of one task: the rule's key (empty for none), a reply that the proxy makes itself,
    and the status with which a request is aborted."""

    rule: str
    reply: ReplyKind | None = None
    reply_status: int = 0
    abort_status: int = 0


def effects_of(rules: Rules, tasks: Sequence[LoadTask], *, others: bool = False) -> tuple[Effect, ...]:
    """What the rules do to the load's requests, in the order of the rules. Tasks that go elsewhere directly have no
    part.

    `others`: requests also come from where we cannot see (an application under test, a locustfile), so that every rule
    with something to verify is expected to see some."""
    ways: dict[Way, list[str]] = {}
    for task in tasks:
        if not task.direct:
            ways.setdefault(way_of(rules, task), []).append(task.name)
    found = [_unrouted(way, names) for way, names in ways.items() if not way.rule]
    for info in rules.rules:
        taken = [(way, names) for way, names in ways.items() if way.rule == info.key]
        found += [_effect(info, way, tuple(names), _patience(tasks, names)) for way, names in taken]
        if others and not taken and _worth_verifying(info):
            found.append(_effect(info, _own_way(info), None))
    return tuple(found)


def _patience(tasks: Iterable[LoadTask], names: Sequence[str]) -> float:
    """Return how long the most patient of these tasks waits, in seconds."""
    return max(task.timeout for task in tasks if task.name in names)


def way_of(rules: Rules, task: LoadTask) -> Way:
    """Ask twice: once with no fault, once with every fault that can fire."""
    request = request_of(task)
    decision = rules.decide(request, NO_FAULT)
    aborted = rules.decide(request, EVERY_FAULT).action
    reply, status = _reply(decision)
    info = rules.info(decision.rule.key) if decision.rule else None
    abort_status = aborted.reply.status if isinstance(aborted, Abort) else info.abort_status if info else 0
    return Way(decision.rule.key if decision.rule else "", reply, status, abort_status)


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


def _own_way(info: RuleInfo) -> Way:
    """As far as the rule alone tells."""
    if info.redirect_code is not None:
        return Way(info.key, "redirect", info.redirect_code)
    if info.direct_response is not None:
        return Way(info.key, "direct-response", info.direct_response)
    return Way(info.key, abort_status=info.abort_status)


def _worth_verifying(info: RuleInfo) -> bool:
    """Whether anything follows from the rule that the gateway's counters alone can show."""
    chance = info.abort is not None or info.delay is not None or len(_shares(info)) > 1
    return bool(info.hosts) and (chance or _retries(info) is not None)


def _unrouted(way: Way, tasks: list[str]) -> Effect:
    return Effect("", "", tasks=tuple(tasks), reply=way.reply or "no-route", reply_status=way.reply_status)


def _effect(info: RuleInfo, way: Way, tasks: tuple[str, ...] | None, patience: float | None = None) -> Effect:
    known = all(destination.known for destination in info.destinations)
    return Effect(
        info.key,
        info.name,
        str(info.location or ""),
        tasks,
        abort_share=info.abort.fraction if info.abort else None,
        abort_status=way.abort_status,
        delay_share=info.delay.fraction if info.delay else None,
        delay=info.fixed_delay,
        destinations=tuple(_shares(info).items()) if known else (),
        unreachable=not known,
        mirrors=tuple((name, percent.fraction) for name, percent in info.mirrors),
        retries=_retries(info),
        timeout=info.timeout,
        patience=patience,
        reply=way.reply,
        reply_status=way.reply_status,
    )


def _shares(info: RuleInfo) -> Mapping[str, float]:
    """Destinations that get requests; one that is listed twice counts with both its weights."""
    shares: dict[str, float] = {}
    for destination in info.destinations:
        if destination.share > 0:
            shares[destination.name] = shares.get(destination.name, 0.0) + destination.share
    return shares


def _retries(info: RuleInfo) -> Retries | None:
    """The rule's own; Istio's default is no claim of the user's."""
    own = info.retries
    if own is None or own.is_default or own.attempts <= 0:
        return None
    return Retries(own.attempts, own.retried, own.per_try_timeout, ",".join(own.retry_on))


def untouched(rules: Rules, effects: Iterable[Effect]) -> Iterator[RuleInfo]:
    """Rules of VirtualServices that no task reaches: worth a note, since a run says nothing about them."""
    reached = {effect.key for effect in effects}
    return (info for info in rules.rules if not info.is_default and info.key not in reached)
