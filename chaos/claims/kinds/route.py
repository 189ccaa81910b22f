"""The claim *route*: every request of these tasks takes this rule, and goes to one of its destinations unless it is
aborted. Where the rule aborts everything nothing goes anywhere, and only the taking is claimed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from chaos.claims.effects import Effect, forwards, short
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger, Left, all_left
from chaos.claims.observations import Observed, Outcome
from chaos.claims.shares.judging import judge_share
from chaos.claims.shares.sentences import requests, settled, target_of
from chaos.faults import AbortFault
from chaos.formatting import count as thousands
from chaos.statuses import shown
from chaos.verify.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingClaim(Expectation):
    """A claim about all requests of some tasks. Falsified, its sentence tells what happened to most of the others."""

    def judge(self, evidence: Evidence) -> Finding:
        finding = judge_share(self, evidence)
        if finding.verdict is not Verdict.FALSIFIED:
            return finding
        finding = replace(finding, cause="routing")
        return replace(finding, sentence=self._wrong(finding, evidence.observed))

    def left(self, ledger: GatewayLedger) -> Left | None:
        """Return the clients that left, which the gateway counts under the rule that took them."""
        return ledger.left(self.phase, self.rule, all_left) if self.rule else None

    def settled(self, finding: Finding, before: str) -> str:
        return settled(finding)

    def _wrong(self, finding: Finding, observed: Observed) -> str:
        seen = finding.observed or Tally(0, 0)
        said = f"{requests(seen, finding)} {self.did()}, not {target_of(finding)}"
        others = [(outcome, count) for outcome, count in observed if self.classify(outcome) is False]
        if not others:
            return f"{said}."
        outcome, count = max(others, key=lambda each: each[1])
        return f"{said}: {thousands(count)} {self._met(outcome)}."

    def _met(self, outcome: Outcome) -> str:
        """Return what happened to an outcome instead, for the sentence."""
        if outcome.route != self.rule_name:
            return (
                f"took {outcome.route}"
                if outcome.route
                else f"took no rule and were answered with {shown(outcome.status)}"
            )
        by = f" by {short(outcome.destination)}" if outcome.destination else ""
        return f"were answered with {shown(outcome.status)}{by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteClaim(RoutingClaim):
    """The claim that all requests take the rule to one of the clusters `labels`; these are empty if one is unknown, or
    if nothing is sent to them. `aborts`: some requests are aborted instead."""

    labels: tuple[str, ...]
    aborts: bool = False

    kind: ClassVar[str] = "route"

    @classmethod
    def of(cls, effect: Effect, faults: bool, tolerance: float) -> Iterator[Self]:
        """Yield one claim for a rule that tasks of the load take and that does not reply itself."""
        if effect.reply is not None or effect.tasks is None:
            return
        known = forwards(effect, faults) and not effect.unreachable
        labels = tuple(label for label, _ in effect.destinations) if known else ()
        aborts = faults and bool(effect.share(AbortFault))
        title = f"to {short(labels[0])}" if len(labels) == 1 else f"takes {effect.name}"
        if aborts and len(labels) == 1:
            title += " unless aborted"
        yield cls.named(effect, title, share=1.0, tolerance=tolerance, labels=labels, aborts=aborts)

    @property
    def hidden(self) -> str:
        return "a response does not show which rule took its request, nor who answered"

    def _tagged(self, outcome: Outcome) -> bool | None:
        if outcome.route != self.rule_name:
            return False
        return "abort" in outcome.fault or not self.labels or outcome.destination in self.labels

    def judge(self, evidence: Evidence) -> Finding:
        finding = RoutingClaim.judge(self, evidence)
        if not self.aborts or len(self.labels) != 1 or finding.verdict is not Verdict.VERIFIED:
            return finding
        went = sum(count for outcome, count in evidence.observed if self._arrived(outcome))
        said = f"{thousands(went)} were not aborted, and went to {short(self.labels[0])}"
        return replace(finding, sentence=f"{finding.sentence.removesuffix('.')}; {said}.")

    def _arrived(self, outcome: Outcome) -> bool:
        return bool(self.classify(outcome)) and "abort" not in outcome.fault

    def did(self) -> str:
        if len(self.labels) != 1:
            return f"took {self.rule_name}"
        to = f"to {short(self.labels[0])}"
        return f"took {self.rule_name}, {to} unless aborted" if self.aborts else f"took {self.rule_name} {to}"

    def _met(self, outcome: Outcome) -> str:
        if outcome.route == self.rule_name and outcome.destination:
            return f"went to {short(outcome.destination)}"
        return RoutingClaim._met(self, outcome)
