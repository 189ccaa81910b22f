"""The claim *destination*: this share of the forwarded requests goes to one of a rule's weighted destinations.

Source: HTTPRouteDestination.weight in virtual_service.proto."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from chaos.claims.effects import Effect, forwards, short
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger, Left, reached
from chaos.claims.observations import Outcome
from chaos.claims.shares.from_log import judge_logged
from chaos.claims.shares.judging import judge_share
from chaos.claims.shares.sentences import settled
from chaos.faults import FaultKind
from chaos.protocol.counters import RuleCounters
from chaos.protocol.parts import to


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationClaim(Expectation):
    """The claim that `share` goes to the cluster `label`: `host:port` or `host:port/subset`."""

    label: str

    kind: ClassVar[str] = "destination"
    complementary: ClassVar[bool] = True
    logged: ClassVar[bool] = True

    @classmethod
    def of(cls, effect: Effect, faults: bool, tolerance: float) -> Iterator[Self]:
        """Yield one claim for each destination if there are several, of its weight."""
        if len(effect.destinations) < 2 or not forwards(effect, faults):
            return
        for label, share in effect.destinations:
            yield cls.named(effect, f"to {short(label)}", label, share=share, tolerance=tolerance, label=label)

    @property
    def draw(self) -> str:
        return to(self.label)

    @property
    def hidden(self) -> str:
        return "a response does not show who answered"

    def _tagged(self, outcome: Outcome) -> bool | None:
        if outcome.route != self.rule_name or not outcome.destination:
            return None
        return outcome.destination == self.label

    def drawn(self, ledger: GatewayLedger) -> Tally | None:
        return ledger.tally(self.phase, self.rule, lambda counts: reached(counts, self.label))

    def left(self, ledger: GatewayLedger) -> Left | None:
        return ledger.left(self.phase, self.rule, self._left, FaultKind.ABORT)

    def _left(self, counts: RuleCounters) -> Tally:
        return Tally(counts["left_to"].get(self.label, 0), sum(counts["left_to"].values()))

    def judge(self, evidence: Evidence) -> Finding:
        if self.tagged:
            return judge_share(self, evidence)
        log = evidence.ledger.log
        if log is not None and log["foreign"]:
            named = f"the access log names a cluster {log['foreign']}, which is not called as Istio calls them"
            return self.not_judged(evidence, f"{named} (outbound|80|subset|host)")
        return judge_logged(self, evidence)

    def did(self) -> str:
        return f"went to {short(self.label)}"

    def settled(self, finding: Finding, before: str) -> str:
        return settled(finding)

    def portion(self, effect: Effect) -> float:
        return effect.forwarded
