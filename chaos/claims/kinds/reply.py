"""The claims *redirect*, *direct-response* and *no-route*: the gateway itself answers every request of these tasks.

Source: HTTPRoute.redirect and direct_response in virtual_service.proto; no route is Envoy's own 404."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from chaos.claims.effects import Effect
from chaos.claims.kinds.route import RoutingClaim
from chaos.claims.observations import Outcome
from chaos.statuses import is_met, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyClaim(RoutingClaim):
    """The claim that the gateway itself replies to all requests, with `status`."""

    status: int

    word: ClassVar[str]

    @classmethod
    def of(cls, effect: Effect, faults: bool, tolerance: float) -> Iterator[Self]:
        if effect.reply == cls.kind and effect.tasks is not None:
            title = f"{cls.word} {shown(effect.reply_status)}"
            yield cls.named(effect, title, share=1.0, tolerance=tolerance, status=effect.reply_status)

    @property
    def hidden(self) -> str:
        return ""

    def _tagged(self, outcome: Outcome) -> bool | None:
        return outcome.route == self.rule_name and ("abort" in outcome.fault or is_met(self.status, outcome.status))

    def _untagged(self, outcome: Outcome) -> bool | None:
        return is_met(self.status, outcome.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectClaim(ReplyClaim):
    kind: ClassVar[str] = "redirect"
    word: ClassVar[str] = "redirected"

    def did(self) -> str:
        return f"were redirected with {shown(self.status)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectResponseClaim(ReplyClaim):
    kind: ClassVar[str] = "direct-response"
    word: ClassVar[str] = "answered"

    def did(self) -> str:
        return f"were answered with {shown(self.status)} by the rule itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRouteClaim(ReplyClaim):
    kind: ClassVar[str] = "no-route"
    word: ClassVar[str] = "no route"

    def did(self) -> str:
        return f"found no route and were answered with {shown(self.status)}"
