"""The claim *connections*: this share of a rule's connections goes to one of its weighted destinations. Only the proxy
can count it: no connection says where it ended.

Source: RouteDestination.weight in virtual_service.proto."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from chaos.claims.effects import PhaseEffects, short
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger, reached
from chaos.claims.observations import Outcome
from chaos.claims.shares.judging import judge_share
from chaos.claims.shares.sentences import share_of, target_of
from chaos.formatting import count, exact, plural, share, spread
from chaos.verify.planning import Requests
from chaos.verify.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionsClaim(Expectation):
    """The claim that `share` of a rule's connections goes to `label`: `host:port` or `host:port/subset`."""

    label: str

    kind: ClassVar[str] = "connections"
    complementary: ClassVar[bool] = True

    @classmethod
    def of_connections(cls, phase: PhaseEffects, tolerance: float) -> Iterator[Self]:
        """Yield one claim for each destination of each rule of connections."""
        for effect in phase.connections:
            for label, part in effect.destinations:
                yield cls(
                    id="#".join((effect.key, cls.kind, label)),
                    title=f"connections to {short(label)}",
                    rule=effect.key,
                    rule_name=effect.name,
                    where=effect.where,
                    share=part,
                    tolerance=tolerance,
                    label=label,
                )

    @property
    def hidden(self) -> str:
        return "no connection shows where it ended"

    def concerns(self, outcome: Outcome) -> bool:
        """Return False: outcomes are requests of the load."""
        return False

    def loses(self, outcome: Outcome) -> bool:
        return False

    def _tagged(self, outcome: Outcome) -> bool | None:
        return None

    def drawn(self, ledger: GatewayLedger) -> Tally | None:
        return ledger.tally(self.phase, self.rule, lambda counts: reached(counts, self.label))

    def requests_needed(self, alpha: float) -> Requests | None:
        """Return None: how many connections there are depends on whoever opens them."""
        return None

    def judge(self, evidence: Evidence) -> Finding:
        finding = judge_share(self, evidence)
        return replace(finding, sentence=_sentence(finding, self.did()))

    def did(self) -> str:
        return f"went to {short(self.label)}"

    def settled(self, finding: Finding, before: str) -> str:
        now = finding.drawn or Tally(0, 0)
        return f"Verified earlier in the run; by now it is {share_of(now, finding)} of {plural(now.n, 'connection')}."


def _sentence(finding: Finding, did: str) -> str:
    drawn = finding.drawn
    if drawn is None or not drawn.n:
        return "No connection took this rule, so nothing is known about it."
    said = f"{share_of(drawn, finding)} of {plural(drawn.n, 'connection')} {did}"
    if finding.verdict is Verdict.FALSIFIED:
        return f"{said}, not {target_of(finding)}, by the proxy's own count."
    if finding.verdict is Verdict.INCONCLUSIVE:
        low, high = finding.interval or (None, None)
        width = spread(finding.interval)
        between = f"{share(low or 0.0, width)} to {share(1.0 if high is None else high, width)} is still possible"
        more = f" About {count(finding.needed)} more connections would tell." if finding.needed else ""
        return f"{said}; {between}.{more}"
    target = "as configured" if drawn.share == finding.configured else None
    said += f", {target}" if target else f"; {exact(finding.configured or 0.0, 'share')} is configured"
    return f"{said}. This is the proxy's own count: the load does not see these."
