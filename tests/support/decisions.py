"""Decisions made by hand, for tests of the gateway alone: what a rule would say, without any rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.faults import FaultKind, RuleFault, tag_of
from chaos.mesh.decision import (
    Abort,
    CircuitBreakers,
    Cluster,
    Decision,
    DirectResponse,
    Draws,
    Endpoint,
    Failure,
    Forward,
    Headers,
    NoRoute,
    Reply,
    Request,
    RetryPolicy,
    Rule,
)

RULE = Rule("virtualservice/default/web/0", "web[0]")
HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"upgrade", b"host"}


class PlainHeadwork:
    """No rule's operations: hop-by-hop headers are dropped, `server` is added."""

    service_time_by_rule = False
    answers_alike = True

    def upstream_headers(self, request: Request, forward: Forward) -> Headers:
        kept = [(name, value) for name, value in request.headers if name not in HOP_BY_HOP]
        return [(b"host", forward.authority), *kept, (b"x-request-id", request.id)]

    def downstream_headers(self, request: Request, status: int, headers: Headers) -> Headers:
        kept = [(name, value) for name, value in headers if name not in HOP_BY_HOP and name != b"server"]
        return [*kept, (b"server", b"envoy")]

    def local_reply(self, request: Request, status: int, body: bytes, details: bytes = b"") -> Reply:
        return text_reply(status, body)


HEADWORK = PlainHeadwork()


def text_reply(status: int, body: bytes = b"") -> Reply:
    kind = ((b"content-type", b"text/plain"),) if body else ()
    return Reply(status, ((b"content-length", b"%d" % len(body)), *kind, (b"server", b"envoy")), body)


ABORT_REPLY = text_reply(503, b"fault filter abort")
NOT_FOUND = NoRoute(text_reply(404))


def cluster(*ports: int, **settings: Any) -> Cluster:
    settings.setdefault("name", "web.default.svc.cluster.local:80")
    return Cluster(endpoints=tuple(Endpoint("127.0.0.1", port) for port in ports), **settings)


def forward(to: Cluster | None, request: Request, **settings: Any) -> Forward:
    return Forward(to, request.target, request.authority, HEADWORK, **settings)


@dataclass
class HandRules:
    """Every request gets what `answer` says of it: an action, or a whole Decision."""

    answer: Callable[[Request, Draws], Any]
    seen: list[Request] = field(default_factory=list)
    server_name: bytes = b"envoy"
    replaces_request_ids: bool = False

    def decide(self, request: Request, draws: Draws) -> Decision:
        self.seen.append(request)
        answer = self.answer(request, draws)
        return answer if isinstance(answer, Decision) else decided(answer)

    def listing(self) -> list[tuple[Rule, tuple[str, ...]]]:
        return []

    def faults(self, key: str) -> tuple[RuleFault, ...]:
        return ()

    def with_faults(self, faults: Mapping[str, tuple[RuleFault, ...]]) -> HandRules:
        return self


def to(cluster: Cluster | None, **settings: Any) -> HandRules:
    """Everything is forwarded to one cluster."""
    return HandRules(lambda request, draws: forward(cluster, request, **settings))


def decided(action: Any, seconds: float = 0.0, rule: Rule = RULE) -> Decision:
    """The decision to do this after so many seconds, with the tag that says so."""
    met = [FaultKind.DELAY] * bool(seconds) + [FaultKind.ABORT] * isinstance(action, Abort)
    return Decision(action, rule, seconds, tag_of(met))


def delayed(seconds: float, action: Any) -> Decision:
    return decided(action, seconds)


def aborting(delay: float = 0.0) -> HandRules:
    return HandRules(lambda request, draws: delayed(delay, Abort(ABORT_REPLY)))


def direct(status: int, body: bytes = b"") -> DirectResponse:
    return DirectResponse(text_reply(status, body))


def retrying(attempts: int, *outcomes: int | Failure, **settings: Any) -> RetryPolicy:
    """Retries on exactly these statuses and failures."""
    settings.setdefault("backoff_base", 0.001)
    return RetryPolicy(attempts, lambda outcome, headers, sent: outcome in outcomes, **settings)


LIMITS = CircuitBreakers
