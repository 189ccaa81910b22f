"""Effects: what a rule does to the requests that reach it, in the numbers that a verdict needs.

An effect belongs to one rule and the load tasks that take it. Finding and compiling rules is the work of
`chaos.mesh`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from chaos.claims.policing import PolicyEffect
from chaos.faults import DelayFault, Kind, RuleFault, fault_of, spared

ReplyKind = Literal["redirect", "direct-response", "no-route"]


@dataclass(frozen=True, slots=True)
class Retries:
    """The rule's own retries: up to `attempts` after the first attempt, for statuses of which `retried` is true.
    `per_try_timeout` is in seconds; `description` is the policy's retryOn. `unanswered`: an
    attempt that ends without a response is retried as well; the gateway's own answer after the last is 503."""

    attempts: int
    retried: Callable[[int], bool]
    per_try_timeout: float | None = None
    description: str = ""
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """What one rule does. Shares are fractions, times are seconds. `faults` are in the order in which a request meets
    them; one that never fires has the share 0.0.

    `tasks` are the names of the load tasks that take the rule; None if the requests are not the load's own (they come
    from an application under test or the user's locustfile). `patience` is the longest that any of its clients waits
    for a response, None if that is not known. `destinations` are cluster labels with their shares; `unreachable` says
    that a destination is unknown, so that requests end at the gateway with 503. `grpc` says that its tasks are gRPC
    calls, whose statuses are then those of gRPC (chaos/statuses.py)."""

    key: str
    name: str
    where: str = ""
    tasks: tuple[str, ...] | None = None
    faults: tuple[RuleFault, ...] = ()
    destinations: tuple[tuple[str, float], ...] = ()
    unreachable: bool = False
    mirrors: tuple[tuple[str, float], ...] = ()
    retries: Retries | None = None
    timeout: float | None = None
    patience: float | None = None
    reply: ReplyKind | None = None
    reply_status: int = 0
    grpc: bool = False

    @property
    def faulty(self) -> bool:
        """Whether the rule has a fault that can fire."""
        return any(fault.share for fault in self.faults)

    @property
    def forwarded(self) -> float:
        """The fraction of its requests that no fault ends."""
        return spared(self.faults)

    @property
    def delay(self) -> float:
        """The seconds that a delayed request waits, 0.0 without a delay."""
        fault = self.fault(DelayFault)
        return 0.0 if fault is None else fault.seconds

    def fault(self, kind: type[Kind]) -> Kind | None:
        """Return its fault of this kind, or None."""
        return fault_of(self.faults, kind)

    def share(self, kind: type[Kind]) -> float:
        """Return the fraction of its requests that meet the fault of this kind, 0.0 without one."""
        fault = self.fault(kind)
        return 0.0 if fault is None else fault.share


@dataclass(frozen=True, slots=True)
class ConnectionEffect:
    """What one rule does to connections that it takes: their `destinations` are cluster labels with their shares."""

    key: str
    name: str
    where: str
    destinations: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class PhaseEffects:
    """The effects in force during one phase. With `faults` off, the rules route, rewrite and redirect but inject
    nothing.

    `own_failures`: requests that fail by themselves are judged, not left to a hypothesis. `lost`: so are responses that
    never come, to a load that is ours. `connections` are the effects on what is not HTTP, `policies` those of
    FaultPolicies."""

    name: str
    effects: tuple[Effect, ...]
    faults: bool = True
    own_failures: bool = False
    lost: bool = False
    connections: tuple[ConnectionEffect, ...] = ()
    policies: tuple[PolicyEffect, ...] = ()

    @property
    def delays(self) -> bool:
        """Whether a fault of the phase delays requests, so that a timeout anywhere may be its doing."""
        return self.faults and any(effect.share(DelayFault) for effect in self.effects)


def forwards(effect: Effect, faults: bool) -> bool:
    """Return whether some requests get past the rule's faults, in a phase with faults or without."""
    return not faults or effect.forwarded > 0


def short(label: str) -> str:
    """Return a cluster's label in its short form: `webserverv1.default.svc.cluster.local:80/v1` is `webserverv1/v1`."""
    host, slash, subset = label.partition("/")
    host = host.rsplit(":", 1)[0] if ":" in host else host
    return host.removesuffix(".svc.cluster.local").removesuffix(".default") + slash + subset
