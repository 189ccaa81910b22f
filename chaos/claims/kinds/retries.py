"""The claim *residual*: of the requests that a rule forwards, so many still fail when its retries are used up.

If each attempt fails independently with probability q, all attempts + 1 of them fail with q^(attempts + 1). Both q and
how the attempts of each request ended come from the clients' digests (`x-chaos-attempts`), or from the gateway's counts
if the load does not see the requests itself. Source: HTTPRetry in virtual_service.proto."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from chaos.claims.effects import Effect, Retries, forwards
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger
from chaos.claims.observations import Observed, Outcome
from chaos.claims.shares.sentences import possible, requests
from chaos.formatting import count as thousands
from chaos.formatting import share as percent
from chaos.protocol.counters import RuleCounters
from chaos.verify.claim import CERTAIN_TOLERANCE
from chaos.verify.retries import Tries, residual
from chaos.verify.verdict import Verdict

Ended = tuple[int, bool, int]
"""Attempts, whether the last of them failed, and the number of requests that ended so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriesClaim(Expectation):
    """The claim about a rule's own `retries`. `abort_status` is the status of its aborts, which are not forwarded."""

    retries: Retries
    abort_status: int

    kind: ClassVar[str] = "residual"
    measured_target: ClassVar[bool] = True

    @classmethod
    def of(cls, effect: Effect, faults: bool, tolerance: float) -> Iterator[Self]:
        """Yield one claim for a rule with retries of its own that forwards requests."""
        if effect.retries is None or effect.retries.attempts <= 0 or not effect.destinations:
            return
        if forwards(effect, faults):
            title = f"failing after {effect.retries.attempts} retries"
            yield cls.named(
                effect, title, tolerance=tolerance, retries=effect.retries, abort_status=effect.abort_status
            )

    def failed(self, status: int) -> bool:
        """Return whether a response's status is one that the rule retries."""
        return self.retries.retried(status)

    @property
    def hidden(self) -> str:
        return "a response does not show how many attempts it took"

    def _tagged(self, outcome: Outcome) -> bool | None:
        if outcome.route != self.rule_name or not outcome.destination:
            return None
        return self.failed(outcome.status)

    def drawn(self, ledger: GatewayLedger) -> Tally | None:
        return ledger.tally(self.phase, self.rule, self._failures)

    def _failures(self, counts: RuleCounters) -> Tally:
        failed = sum(n for status, n in counts["statuses"].items() if int(status) and self.failed(int(status)))
        if self.failed(self.abort_status):
            failed -= counts["abort"]
        return Tally(max(0, failed), counts["forwarded"])

    def did(self) -> str:
        return "still failed"

    def portion(self, effect: Effect) -> float:
        return 1 - (effect.abort_share or 0.0)

    def judge(self, evidence: Evidence) -> Finding:
        """Return the finding, with q^(attempts + 1) as its configured value."""
        finding = self.blank(evidence)
        seen = evidence.observed.tally(self.classify)
        ended = self._observed(evidence.observed) if self.tasks is not None else self._counted(evidence.ledger)
        tries = self._tries(ended)
        if not tries.requests:
            empty = replace(finding, cause="traffic", ledgers=("configured", "drawn"))
            return replace(empty, sentence=_sentence(empty, tries))
        reach = max(min(self.tolerance, tries.expected / 2), CERTAIN_TOLERANCE)
        found = residual(tries, finding.alpha)
        verdict = found.assess(reach)
        finding = replace(
            finding,
            configured=tries.expected,
            tolerance=reach,
            observed=seen if seen.n else None,
            estimate=tries.failed / tries.requests,
            interval=(found.share.low, found.share.high),
            verdict=verdict,
            cause="upstream" if verdict is Verdict.FALSIFIED else "",
            ledgers=("configured", "drawn", "observed") if seen.n else ("configured", "drawn"),
        )
        return replace(finding, sentence=_sentence(finding, tries))

    def _observed(self, observed: Observed) -> list[Ended]:
        return [
            (outcome.attempts, failed, count)
            for outcome, count in observed
            if (failed := self.classify(outcome)) is not None
        ]

    def _counted(self, ledger: GatewayLedger) -> list[Ended]:
        """Return how requests ended by the gateway's counts.

        Both counts are of requests that have ended, because the attempts of requests in flight say nothing yet. A
        request that failed is assumed to have used all its attempts."""
        counts = ledger.rule(self.phase, self.rule)
        by_tries = {int(tries): n for tries, n in counts["tries"].items() if int(tries)} if counts else {}
        most = self.retries.attempts + 1
        over = self.drawn(ledger)
        failed = min(over.k if over else 0, by_tries.get(most, 0))
        early = [(tries, False, n) for tries, n in by_tries.items() if tries != most]
        return [*early, (most, True, failed), (most, False, by_tries.get(most, 0) - failed)]

    def _tries(self, ended: Iterable[Ended]) -> Tries:
        """Return all attempts added up: those before a request's last one failed, the last one failed or succeeded."""
        most = self.retries.attempts + 1
        requests = early = early_failed = last = last_failed = given_up = 0
        for tries, failed, count in ended:
            requests += count
            if tries >= most:
                early, early_failed = early + (most - 1) * count, early_failed + (most - 1) * count
                last, last_failed = last + count, last_failed + count * failed
            else:
                early, early_failed = early + tries * count, early_failed + (tries - 1 + failed) * count
                given_up += count * failed
        return Tries(most, requests, early, early_failed, last, last_failed, given_up)


def _sentence(finding: Finding, tries: Tries) -> str:
    """Return the sentence on how many still fail when the retries are used up, and how many should."""
    seen = finding.observed or finding.drawn
    if not tries.requests or seen is None:
        return "No request was forwarded by this rule, so nothing is known about its retries."
    if tries.share:
        row = f"{tries.most} in a row should in {percent(tries.expected)}"
        upstream = f"a single try fails in {percent(tries.share)}, so {row}"
    else:
        upstream = f"no try of {thousands(tries.early_tries)} failed, so there was nothing to retry"
    said = f"{requests(seen, finding)} still failed; {upstream}"
    if finding.verdict is Verdict.FALSIFIED:
        return f"{said}, and does not: {_uneven(finding, tries)}."
    if finding.verdict is Verdict.INCONCLUSIVE:
        return f"{said}; {possible(finding)}"
    return f"{said}."


def _uneven(finding: Finding, tries: Tries) -> str:
    if tries.given_up > tries.last_failures:
        return f"{thousands(tries.given_up)} were given up with retries left"
    if (finding.estimate or 0.0) < (finding.configured or 0.0):
        return "the tries of one request do not fail alike"
    return "the tries of one request fail together"
