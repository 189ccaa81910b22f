"""The claim *policy*: this share of the requests that a FaultPolicy is about meet its fault, and their clients see it.

What a client sees is a status, an error, or a change that its kind names (chaos/policies/kinds); a tag alone is not a
fault. Beneath the retries it is the share of attempts: each one that failed before another shows in the tag with their
number, and the last in the response's own status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from chaos.claims.effects import PhaseEffects
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger, Left
from chaos.claims.observations import EARLY, Outcome
from chaos.claims.policing import PolicyEffect, may_be_policies
from chaos.claims.shares.by_latency import near
from chaos.claims.shares.judging import judge_share
from chaos.claims.shares.sentences import settled
from chaos.claims.windows import by_policy
from chaos.policies.fault import is_tagged
from chaos.protocol.digest import PENDING

UNANSWERED = 503
"""What a gateway answers where there is no response, and where its circuit breaker lets no request pass."""

UNSEEN_WAIT = "beneath the retries nobody sees how long an attempt waits"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyClaim(Expectation):
    """A claim about one policy of a phase."""

    effect: PolicyEffect

    @classmethod
    def about(cls, effect: PolicyEffect, title: str, share: float | None, tolerance: float) -> Self:
        """Return a claim about a policy, with an id made of its key and the kind."""
        return cls(
            id=f"{effect.policy.key}#{cls.kind}",
            title=title,
            rule=effect.policy.key,
            rule_name=effect.name,
            where=str(effect.policy.location),
            tasks=effect.tasks,
            share=share,
            tolerance=tolerance,
            effect=effect,
        )

    @property
    def hidden(self) -> str:
        return "" if self.effect.fault.errors else "a response does not show which policy has changed it"

    def drawn(self, ledger: GatewayLedger) -> Tally | None:
        counts = ledger.policy(self.phase, self.effect.name)
        if counts is None:
            return Tally(0, 0) if ledger.known else None
        return Tally(counts["met"], counts["targeted"])

    def left(self, ledger: GatewayLedger) -> Left | None:
        counts = ledger.policy(self.phase, self.effect.name)
        if counts is None or self.effect.fault.errors:
            return None  # its own clients are among those that leave
        return Left(counts["left_met"], counts["left"], counts["left"])

    def settled(self, finding: Finding, before: str) -> str:
        return settled(finding)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyShareClaim(PolicyClaim):
    """The claim that `share` of the policy's requests, or attempts, meet its fault."""

    kind: ClassVar[str] = "policy"

    @classmethod
    def of_policy(cls, effect: PolicyEffect, phase: PhaseEffects, tolerance: float) -> Iterator[Self]:
        """Yield the claim of the configured share; of 0 % in a phase without faults."""
        fault, share = effect.fault, effect.policy.percent.fraction
        if fault.claim != "share":
            return
        if phase.faults:
            made = cls.about(effect, fault.title, share, tolerance)
            unseen = UNSEEN_WAIT if effect.policy.upstream and fault.last_status is None else ""
            yield replace(made, unseen=unseen)
        elif share:
            yield cls.about(effect, f"no {fault.title}", 0.0, tolerance)

    @property
    def earliest(self) -> float:
        shortest = self.effect.fault.shortest
        return max(0.0, shortest - near(shortest)) if shortest and self.share else 0.0

    def concerns(self, outcome: Outcome) -> bool:
        return self._asked(outcome) and outcome.error != PENDING

    def loses(self, outcome: Outcome) -> bool:
        if outcome.error == PENDING:
            return Expectation.loses(self, outcome)
        if outcome.status:  # nobody can tell whether it was changed
            return self._asked(outcome) and self.effect.fault.shows(outcome, self.effect.name) is None
        unclear = not self._shown(outcome) and not self.effect.fault.errors
        return unclear and self._asked(outcome) and not may_be_policies(self.policies, outcome)

    def _shown(self, outcome: Outcome) -> bool:
        return bool(self.effect.fault.shows(outcome, self.effect.name))

    def _tagged(self, outcome: Outcome) -> bool | None:
        if outcome.status == 0 and not self._shown(outcome):
            ended = may_be_policies(self._before(), outcome)
            return None if ended or not self.effect.fault.errors else False
        if self._answered_by_another(outcome):
            return None
        if EARLY in outcome.fault and is_tagged(outcome.policy, self.effect.name):
            return False  # the tag is there, and the time that the fault takes is not over
        return self.effect.fault.shows(outcome, self.effect.name)

    def _answered_by_another(self, outcome: Outcome) -> bool:
        """Return whether another policy was before this one, which then nobody can see. What passes a response on does
        so with that of a policy, too, so that it shows, or did not happen."""
        if not self.effect.fault.ends:
            return False
        mine = self.effect.fault.shows(outcome, self.effect.name)
        return not mine and any(each.answers(outcome) for each in self._before())

    def _before(self) -> list[PolicyEffect]:
        """Return the policies that come before this one: of those that answer or end a request the first counts, and
        all of them come before what passes a response on."""
        others = [each for each in self.policies if each is not self.effect and not each.policy.upstream]
        if not self.effect.fault.ends:
            return [each for each in others if each.fault.ends]
        return others[: self.policies.index(self.effect)] if self.effect in self.policies else others

    def _untagged(self, outcome: Outcome) -> bool | None:
        return self._tagged(outcome)

    def judge(self, evidence: Evidence) -> Finding:
        if self.effect.policy.upstream:
            return judge_share(self, evidence, self._attempts(evidence))
        if not self.effect.policy.always and self.share:
            window = by_policy(evidence.observed, self.phase, self.effect.policy, self.classify)
            found = judge_share(self, evidence, window.inside)
            return replace(found, **window.refuted()) if window.outside.k else found
        return judge_share(self, evidence)

    def _attempts(self, evidence: Evidence) -> Tally:
        """Return how many attempts failed, of all that the clients' responses tell of. What a circuit breaker refused
        was no attempt; the gateway says how many that were."""
        failed = every = refused = 0
        last = self.effect.fault.last_status
        for outcome, count in evidence.observed:
            if self._asked(outcome) and outcome.status and outcome.route and outcome.destination:
                every += outcome.attempts * count
                failed += (outcome.attempts - 1 + (outcome.status == last)) * count
                refused += count if outcome.status == UNANSWERED and outcome.attempts == 1 else 0
        refused = min(refused, evidence.ledger.overflowed(self.phase))
        return Tally(failed - (refused if last == UNANSWERED else 0), every - refused)

    def did(self) -> str:
        return self.effect.fault.did
