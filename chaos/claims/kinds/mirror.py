"""The claim *mirror*: this share of the forwarded requests is copied to the mirror. Only the gateway can count it.

Source: HTTPRoute.mirrors and mirror_percentage in virtual_service.proto."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from chaos.claims.effects import Effect, forwards, short
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger
from chaos.claims.observations import Outcome
from chaos.claims.shares.judging import judge_share
from chaos.claims.shares.sentences import settled
from chaos.protocol.counters import RuleCounters


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorClaim(Expectation):
    """The claim that `share` is copied to the cluster `label`."""

    label: str

    kind: ClassVar[str] = "mirror"

    @classmethod
    def of(cls, effect: Effect, faults: bool, tolerance: float) -> Iterator[Self]:
        if not forwards(effect, faults):
            return
        for label, share in effect.mirrors:
            title = f"mirrored to {short(label)}"
            yield cls.named(effect, title, label, share=share, tolerance=tolerance, label=label)

    @property
    def hidden(self) -> str:
        return "no client sees the copies"

    def _tagged(self, outcome: Outcome) -> bool | None:
        return None

    def drawn(self, ledger: GatewayLedger) -> Tally | None:
        return ledger.tally(self.phase, self.rule, self._copies)

    def _copies(self, counts: RuleCounters) -> Tally:
        return Tally(counts["mirrors"].get(self.label, 0), counts["forwarded"])

    def judge(self, evidence: Evidence) -> Finding:
        return judge_share(self, evidence)

    def did(self) -> str:
        return f"were mirrored to {short(self.label)}"

    def settled(self, finding: Finding, before: str) -> str:
        return settled(finding)

    def portion(self, effect: Effect) -> float:
        return effect.forwarded
