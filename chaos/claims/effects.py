"""What a rule does to the requests that reach it, in the numbers that a verdict needs.

An effect belongs to one rule and the load tasks that take it; how a rule is found and compiled is for `chaos.mesh`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

ReplyKind = Literal["redirect", "direct-response", "no-route"]


@dataclass(frozen=True, slots=True)
class Retries:
    """The rule's own retries: `attempts` after the first try, for the statuses that `retried` says."""

    attempts: int
    retried: Callable[[int], bool]
    per_try_timeout: float | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """Shares are fractions, times seconds. A share is None where the rule has no such fault; 0.0 where it never fires.

    `tasks` are the names of the load tasks that take the rule; None when the rule is reached by requests that are not
    the load's own (an application under test, the user's locustfile). `patience` is how long the most patient of its
    clients waits, None when that is not known. `destinations` are cluster labels with their shares; `unreachable` says
    that a destination is unknown, so that requests end at the gateway with 503."""

    key: str
    name: str
    where: str = ""
    tasks: tuple[str, ...] | None = None
    abort_share: float | None = None
    abort_status: int = 0
    delay_share: float | None = None
    delay: float = 0.0
    destinations: tuple[tuple[str, float], ...] = ()
    unreachable: bool = False
    mirrors: tuple[tuple[str, float], ...] = ()
    retries: Retries | None = None
    timeout: float | None = None
    patience: float | None = None
    reply: ReplyKind | None = None
    reply_status: int = 0

    @property
    def faulty(self) -> bool:
        """Whether any fault ever fires here."""
        return bool(self.abort_share or self.delay_share)


@dataclass(frozen=True, slots=True)
class PhaseEffects:
    """What holds during one phase. With `faults` off the rules route, rewrite and redirect, and inject nothing."""

    name: str
    effects: tuple[Effect, ...]
    faults: bool = True


def forwards(effect: Effect, faults: bool) -> bool:
    """Return whether some requests get past the rule's abort, in a phase with faults or without."""
    return not faults or (effect.abort_share or 0.0) < 1


def short(label: str) -> str:
    """Return a cluster's label as people say it: `webserverv1.default.svc.cluster.local:80/v1` is `webserverv1/v1`."""
    host, slash, subset = label.partition("/")
    host = host.rsplit(":", 1)[0] if ":" in host else host
    return host.removesuffix(".svc.cluster.local").removesuffix(".default") + slash + subset
