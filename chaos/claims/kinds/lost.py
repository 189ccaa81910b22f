"""The claim *lost*: the requests of a phase get a response, whatever it is.

A request that a client gave up itself, when its own timeout was over, is no part of it, and neither is one that was
under way when the load ended. What is left are connections that were refused, reset, closed early or brought no HTTP:
a gateway whose upstream fails answers 503, so a response that never comes is its own doing, or its machine's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from chaos.claims.effects import PhaseEffects
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import EASY, Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.observations import Observed, Outcome
from chaos.claims.policing import may_be_policies
from chaos.claims.shares.sentences import possible
from chaos.formatting import count as thousands
from chaos.formatting import listed, plural
from chaos.protocol.digest import PENDING
from chaos.verify.claim import CERTAIN_TOLERANCE, rarely
from chaos.verify.planning import Requests, requests_needed, smallest_deviation
from chaos.verify.verdict import Verdict

LIMIT = CERTAIN_TOLERANCE
"""As much as *never* and *always* leave open. One reset in a million, on a machine that is short of sockets, is no
gateway's fault; one in a thousand is no accident."""

RECENT = 2
"""Stretches, of about a second each, whose requests the gateway may have told nothing of."""

TIMEOUT = "timeout"
"""The error of a request that its own client gave up."""

ERRORS = {
    "refused": "connection refused",
    "reset": "connection reset",
    "closed": "connection closed before the end of the response",
    "malformed": "not a valid HTTP response",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LostClaim(Expectation):
    kind: ClassVar[str] = "lost"
    of_whole_phase: ClassVar[bool] = True

    @classmethod
    def of_phase(cls, phase: PhaseEffects) -> Iterator[Self]:
        """Yield one for a phase in which a load of ours sends requests."""
        if phase.lost:
            yield cls(id="lost", title="without a response", share=LIMIT, tolerance=LIMIT)

    @property
    def weight(self) -> float:
        return EASY

    @property
    def hidden(self) -> str:
        return ""

    def concerns(self, outcome: Outcome) -> bool:
        return self._asked(outcome) and outcome.error not in (TIMEOUT, PENDING)

    def loses(self, outcome: Outcome) -> bool:
        return False

    def _tagged(self, outcome: Outcome) -> bool | None:
        return outcome.status == 0 and not outcome.policy and not may_be_policies(self.policies, outcome)

    def _untagged(self, outcome: Outcome) -> bool | None:
        return self._tagged(outcome)

    def did(self) -> str:
        return "had no response"

    def requests_needed(self, alpha: float) -> Requests | None:
        return requests_needed(rarely(LIMIT), alpha)

    def smallest_deviation(self, requests: int, alpha: float) -> float | None:
        return smallest_deviation(rarely(LIMIT), max(1, requests), alpha)

    def judge(self, evidence: Evidence) -> Finding:
        finding = replace(self.blank(evidence), sense="below", ledgers=("configured", "observed"))
        seen, claim, alpha = evidence.running.follow(evidence.observed), rarely(LIMIT), evidence.alpha
        seen = Tally(seen.k + self._beyond(evidence), seen.n)
        if not seen.n:
            return self._nothing_seen(finding, evidence.observed)
        verdict = claim.assess(seen.k, seen.n, alpha)
        interval = claim.interval(seen.k, seen.n, alpha)
        finding = replace(
            finding,
            observed=seen,
            estimate=seen.share,
            interval=(interval.low, interval.high),
            verdict=verdict,
            cause="lost" if verdict is Verdict.FALSIFIED else "",
            needed=claim.needed(seen.k, seen.n, alpha) if verdict is Verdict.INCONCLUSIVE else None,
        )
        return replace(finding, sentence=self._sentence(finding, seen, evidence.observed))

    def _beyond(self, evidence: Evidence) -> int:
        """Return how many more had no response than the gateway has ended by policies. Those of the last stretches are
        left out: the two ledgers are of slightly different moments, and what has been falsified stays so."""
        last = evidence.observed.stretches[-RECENT:]
        ended = (n for stretch in last for each, n in stretch if may_be_policies(self.policies, each))
        return max(0, self.unexplained(evidence) - sum(ended))

    def _nothing_seen(self, finding: Finding, observed: Observed) -> Finding:
        """Return what is to be said when every client gave up, or none has sent anything."""
        given_up = sum(count for outcome, count in observed if self._asked(outcome))
        if not given_up:
            return replace(finding, cause="traffic", sentence="No request was sent.")
        said = f"All of {plural(given_up, 'request')} were given up by their clients before there was a response."
        return replace(finding, verdict=Verdict.INCONCLUSIVE, sentence=said)

    def _sentence(self, finding: Finding, seen: Tally, observed: Observed) -> str:
        if not seen.k:
            said = f"None of {plural(seen.n, 'request')} was left without a response"
        else:
            said = f"{thousands(seen.k)} of {plural(seen.n, 'request')} had no response: {self._errors(observed)}"
        by_policies = sum(count for each, count in observed if self._asked(each) and self._ended(each))
        if by_policies:
            said = f"{said}, beside {thousands(by_policies)} that policies ended"
        if finding.verdict is Verdict.INCONCLUSIVE:
            return f"{said}; {possible(finding)}"
        return f"{said}."

    def _ended(self, outcome: Outcome) -> bool:
        """Return whether a policy may have ended a response, or cut it short."""
        lost = outcome.status == 0 and outcome.error not in (TIMEOUT, PENDING)
        return lost and (bool(outcome.policy) or may_be_policies(self.policies, outcome))

    def _errors(self, observed: Observed) -> str:
        found: Counter[str] = Counter()
        for outcome, count in observed:
            if self.classify(outcome):
                found[ERRORS.get(outcome.error, outcome.error or "no reason is known")] += count
        several = len(found) > 1
        return listed([f"{thousands(count)} {what}" if several else what for what, count in found.most_common()])
