"""The claim *abort*: this share of the rule's requests is answered with the configured status by the gateway itself.

Source: HTTPFaultInjection.Abort in virtual_service.proto."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from chaos.claims.effects import Effect
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger, Left, drawn_for_left, met
from chaos.claims.observations import Outcome
from chaos.claims.shares.judging import judge_share
from chaos.claims.shares.sentences import settled
from chaos.faults import AbortFault, DelayFault
from chaos.formatting import plural
from chaos.protocol.digest import UNCLEAR
from chaos.statuses import is_met, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortClaim(Expectation):
    """The claim that `share` of the requests are aborted with `status`; clients of the other protocol, of which
    there may be some among them, get its counterpart (chaos/statuses.py). `delayed` is the share that the
    rule delays."""

    status: int
    delayed: float = 0.0

    kind: ClassVar[str] = "abort"
    fault: ClassVar[str] = "abort"

    @classmethod
    def of(cls, effect: Effect, faults: bool, tolerance: float) -> Iterator[Self]:
        """Yield the claim of the configured share; of 0 % in a phase without faults, for a rule that has an abort."""
        abort = effect.fault(AbortFault)
        if abort is None:
            return
        share, status, delayed = abort.share, abort.status, effect.share(DelayFault)
        if faults:
            title = f"abort {shown(status)}"
            yield cls.named(effect, title, share=share, tolerance=tolerance, status=status, delayed=delayed)
        elif share:
            yield cls.named(effect, "no abort", share=0.0, tolerance=tolerance, status=status)

    @property
    def other_fault(self) -> tuple[str, float] | None:
        return ("delay", self.delayed) if self.delayed else None

    @property
    def hidden(self) -> str:
        return ""

    def _tagged(self, outcome: Outcome) -> bool | None:
        if outcome.route != self.rule_name:
            return None
        return "abort" in outcome.fault and is_met(self.status, outcome.status)

    def _untagged(self, outcome: Outcome) -> bool | None:
        return is_met(self.status, outcome.status) and "abort" in outcome.fault

    def drawn(self, ledger: GatewayLedger) -> Tally | None:
        return ledger.tally(self.phase, self.rule, lambda counts: met(counts, self.fault))

    def left(self, ledger: GatewayLedger) -> Left | None:
        return ledger.left(self.phase, self.rule, lambda counts: drawn_for_left(counts, self.fault), self.fault)

    def judge(self, evidence: Evidence) -> Finding:
        unclear = sum(count for outcome, count in evidence.observed if self._unclear(outcome))
        return self.not_judged(evidence, self._why(unclear)) if unclear else judge_share(self, evidence)

    def _unclear(self, outcome: Outcome) -> bool:
        """Return whether nobody can tell if a response is an abort: it has its status, and no body to show it."""
        return outcome.fault == UNCLEAR and is_met(self.status, outcome.status) and self.concerns(outcome)

    def _why(self, unclear: int) -> str:
        bare = f"{plural(unclear, 'response')} with {shown(self.status)} had no body (to HEAD, or with 204 or 304)"
        return f"{bare}, nor a head, by which to tell an abort from the upstream's own"

    def did(self) -> str:
        return f"were aborted with {shown(self.status)}"

    def settled(self, finding: Finding, before: str) -> str:
        return settled(finding)
