"""The claim *delay*: this share of the rule's requests is delayed. By how much is the claim of `added_delay`.

A tag alone delays nothing: a response that came before its delay can have been over was not delayed, whatever it says.
Where nothing should be delayed the tag is enough of a counter-example.

Source: HTTPFaultInjection.Delay in virtual_service.proto."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from chaos.claims.effects import Effect
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger, Left, drawn_for_left, met
from chaos.claims.observations import EARLY, Outcome
from chaos.claims.shares.by_latency import near
from chaos.claims.shares.from_log import judge_logged
from chaos.claims.shares.from_outside import judge_delayed
from chaos.claims.shares.judging import judge_share
from chaos.claims.shares.sentences import settled
from chaos.faults import DelayFault, FaultKind
from chaos.protocol.counters import RuleCounters
from chaos.units import format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayClaim(Expectation):
    """The claim that `share` of the requests are delayed by `seconds`."""

    seconds: float

    kind: ClassVar[str] = "delay"
    fault: ClassVar[str] = "delay"
    logged: ClassVar[bool] = True

    @classmethod
    def of(cls, effect: Effect, faults: bool, tolerance: float) -> Iterator[Self]:
        """Yield the claim of the configured share; of 0 % in a phase without faults, for a rule that has a delay."""
        delay = effect.fault(DelayFault)
        if delay is None:
            return
        if faults:
            title = f"delay {format_duration(delay.seconds)}"
            yield cls.named(effect, title, share=delay.share, tolerance=tolerance, seconds=delay.seconds)
        elif delay.share:
            yield cls.named(effect, "no delay", share=0.0, tolerance=tolerance, seconds=delay.seconds)

    @property
    def hidden(self) -> str:
        return "" if self.share else "a slow response may be the upstream's own doing"

    @property
    def earliest(self) -> float:
        return max(0.0, self.seconds - near(self.seconds)) if self.tagged and self.share else 0.0

    def _tagged(self, outcome: Outcome) -> bool | None:
        if outcome.route != self.rule_name:
            return None
        return "delay" in outcome.fault and EARLY not in outcome.fault

    def drawn(self, ledger: GatewayLedger) -> Tally | None:
        return ledger.tally(self.phase, self.rule, delayed)

    def left(self, ledger: GatewayLedger) -> Left | None:
        return ledger.left(self.phase, self.rule, lambda counts: drawn_for_left(counts, self.fault))

    def judge(self, evidence: Evidence) -> Finding:
        if self.tagged:
            return judge_share(self, evidence)
        if not self.share:
            return judge_logged(self, evidence)
        if evidence.ledger.log is None:
            return judge_delayed(self, evidence, self.seconds)
        return self._by_both(evidence)

    def _by_both(self, evidence: Evidence) -> Finding:
        """Judge by the latencies and by the flags of the access log, each with half of alpha."""
        half = replace(evidence, alpha=evidence.alpha / 2)
        seen, told = judge_delayed(self, half, self.seconds), judge_logged(self, half)
        found = told if told.verdict.decided and not seen.verdict.decided else seen
        return replace(found, alpha=evidence.alpha)

    def did(self) -> str:
        return "were delayed"

    def settled(self, finding: Finding, before: str) -> str:
        return settled(finding)


def delayed(counts: RuleCounters) -> Tally:
    """Return how many of a rule's requests the gateway delayed, of all."""
    return met(counts, FaultKind.DELAY)
