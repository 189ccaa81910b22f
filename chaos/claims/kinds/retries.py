"""The claim *residual*: a rule's retries are made, each try fails as often as the first, and so many still fail.

If each attempt fails independently with probability q, all attempts + 1 of them fail with q^(attempts + 1). Both q and
how the attempts of each request ended come from the clients' digests (`x-chaos-attempts`), or from the gateway's counts
if the load does not see the requests itself. Where an upstream fails so rarely that the last try is hardly ever made,
the claim is not judged: then its number of tries cannot be seen. Source: HTTPRetry in virtual_service.proto."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import log
from typing import ClassVar, Self

from chaos.claims.effects import Effect, Retries, forwards
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger
from chaos.claims.kinds.failures import INJECTED
from chaos.claims.kinds.lost import LIMIT
from chaos.claims.observations import Observed, Outcome
from chaos.claims.shares.from_log import NO_ATTEMPTS, nothing_yet, trouble_of
from chaos.claims.shares.sentences import possible, requests
from chaos.faults import AbortFault, FaultKind, count_of
from chaos.formatting import count as thousands
from chaos.formatting import plural
from chaos.formatting import share as percent
from chaos.protocol.counters import RuleCounters
from chaos.verify.retries import ASTRAY, HALF, MOST_REQUESTS, Tries, assess, requests_needed, share_left
from chaos.verify.verdict import Verdict

Ended = tuple[int, bool, int]
"""Attempts, whether the last of them failed, and the number of requests that ended so."""


UNANSWERED = 503
"""What a gateway answers when the last attempt had no response (Envoy's router)."""

OF_GRPC = "a gRPC status is retried only where it comes without a message and headers before it, which nobody counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriesClaim(Expectation):
    """The claim about a rule's own `retries`. `abort_status` is the status of its aborts, which are not forwarded."""

    retries: Retries
    abort_status: int

    kind: ClassVar[str] = "residual"
    measured_target: ClassVar[bool] = True
    logged: ClassVar[bool] = True

    @classmethod
    def of(cls, effect: Effect, faults: bool, tolerance: float) -> Iterator[Self]:
        """Yield one claim for a rule with retries of its own that forwards requests."""
        if effect.retries is None or effect.retries.attempts <= 0 or not effect.destinations:
            return
        if forwards(effect, faults):
            title = f"failing after {effect.retries.attempts} retries"
            abort = effect.fault(AbortFault)
            status = abort.status if abort is not None else 0
            unseen = OF_GRPC if effect.grpc else ""
            yield cls.named(
                effect, title, tolerance=tolerance, retries=effect.retries, abort_status=status, unseen=unseen
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
        return self.failed(outcome.status) or (self._by_gateway and self._used_up(outcome))

    @property
    def _by_gateway(self) -> bool:
        """Whether attempts without a response are retried, but no response with the gateway's own 503 is."""
        return self.retries.unanswered and not self.failed(UNANSWERED)

    def _used_up(self, outcome: Outcome) -> bool:
        """Return whether a response is the gateway's own after the last attempt: upstream's own 503 is not retried, so
        that an earlier one is no failure of an attempt."""
        return outcome.status == UNANSWERED and outcome.attempts > self.retries.attempts

    def drawn(self, ledger: GatewayLedger) -> Tally | None:
        return ledger.tally(self.phase, self.rule, self._failures)

    def _failures(self, counts: RuleCounters) -> Tally:
        failed = sum(n for status, n in counts["statuses"].items() if int(status) and self.failed(int(status)))
        if self.failed(self.abort_status):
            failed -= count_of(FaultKind.ABORT, counts["faults"])
        if self._by_gateway:
            failed += sum(counts["failures"].get(flag, 0) for flag in ("UC", "UF", INJECTED))
        return Tally(max(0, failed), counts["forwarded"])

    def did(self) -> str:
        return "still failed"

    def portion(self, effect: Effect) -> float:
        return effect.forwarded

    def judge(self, evidence: Evidence) -> Finding:
        """Return the finding, with q^(attempts + 1) as its configured value."""
        if not self.tagged and (unknown := self._unknown(evidence)):
            return unknown
        finding = self.blank(evidence)
        seen = evidence.observed.tally(self.classify)
        by_clients = self.tagged and self.tasks is not None
        ended = self._observed(evidence.observed) if by_clients else self._counted(evidence.ledger)
        tries = self._tries(ended)
        if not tries.requests:
            empty = replace(finding, cause="traffic", ledgers=("configured", "drawn"))
            return replace(empty, sentence=_sentence(empty, tries))
        finding = self._with_verdict(finding, tries, seen)
        return replace(finding, sentence=_sentence(finding, tries))

    def _unknown(self, evidence: Evidence) -> Finding | None:
        """Return the finding if the access log does not tell enough; None if it does."""
        ledger, log = evidence.ledger, evidence.ledger.log
        trouble = trouble_of(evidence) or ("" if log is None or log["attempts"] else NO_ATTEMPTS)
        if trouble:
            return self.not_judged(evidence, trouble)
        told = self.drawn(ledger)
        if told is None or not told.n:
            return nothing_yet(self, evidence)
        unlogged = ledger.unlogged(self.phase, self.rule)
        if unlogged <= LIMIT * told.n:
            return None
        said = f"of {plural(unlogged, 'request')} beside {thousands(told.n)} the access log has no line"
        sentence = f"Nothing is known about the retries: {said}."
        return replace(self.blank(evidence), verdict=Verdict.INCONCLUSIVE, cause="lost", sentence=sentence)

    def _with_verdict(self, finding: Finding, tries: Tries, seen: Tally) -> Finding:
        """Return the finding with its verdict: not judged where the last tries are so rare that no run tells."""
        verdict, alpha = assess(tries, finding.alpha), finding.alpha
        left, needed = share_left(tries, alpha), None
        if verdict is Verdict.INCONCLUSIVE:
            needed = requests_needed(tries, alpha)
            verdict = Verdict.NOT_JUDGED if needed is None else verdict
        return replace(
            finding,
            configured=tries.expected,
            tolerance=tries.expected * HALF,
            observed=seen if seen.n else None,
            estimate=tries.left / tries.requests,
            interval=(left.low, left.high),
            verdict=verdict,
            cause={Verdict.FALSIFIED: "upstream", Verdict.NOT_JUDGED: "unseen"}.get(verdict, ""),
            ledgers=("configured", "drawn", "observed") if seen.n else ("configured", "drawn"),
            needed=max(0, needed - tries.requests) or None if needed is not None else None,
        )

    def _observed(self, observed: Observed) -> list[Ended]:
        return [
            (outcome.attempts, failed, count)
            for outcome, count in observed
            if (failed := self.classify(outcome)) is not None
        ]

    def _counted(self, ledger: GatewayLedger) -> list[Ended]:
        """Return how requests ended by the gateway's counts.

        Both counts are of requests that have ended, because the attempts of requests in flight say nothing yet. Those
        that failed are assumed to have used as many of their attempts as there are requests that did."""
        counts = ledger.rule(self.phase, self.rule)
        by_tries = {int(tries): n for tries, n in counts["tries"].items() if int(tries)} if counts else {}
        over = self.drawn(ledger)
        left = over.k if over else 0
        ended: list[Ended] = []
        for tries, n in sorted(by_tries.items(), key=lambda each: self._least_likely(each[0])):
            failed = min(left, n)
            left -= failed
            ended += [(tries, True, failed), (tries, False, n - failed)]
        return ended

    def _least_likely(self, tries: int) -> tuple[bool, int]:
        """Sort the numbers of tries: first all that a request may have, then ever fewer, and more than that last."""
        return tries > self.retries.attempts + 1, -tries

    def _tries(self, ended: Iterable[Ended]) -> Tries:
        """Return all attempts place by place: those before a request's last one failed, the last one failed or
        succeeded."""
        most = self.retries.attempts + 1
        tried, failures, given_up = [0] * most, [0] * most, [0] * most
        requests = again = left = 0
        for tries, failed, count in ended:
            requests, left, again = requests + count, left + count * failed, again + count * (tries > most)
            last = min(tries, most)
            for place in range(last):
                tried[place] += count
                failures[place] += count * (failed or place + 1 < tries)
            if tries < most:
                given_up[last - 1] += count * failed
        return Tries(requests, tuple(tried), tuple(failures), tuple(given_up), again, left)


def _sentence(finding: Finding, tries: Tries) -> str:
    """Return the sentence on how many still fail when the retries are used up, and how many should."""
    seen = finding.observed or finding.drawn
    if not tries.requests or seen is None:
        return "No request was forwarded by this rule, so nothing is known about its retries."
    if finding.verdict is Verdict.NOT_JUDGED:
        return f"Not judged: {_too_rare(tries)}."
    row = f"{tries.most} in a row should in {percent(tries.expected)}"
    said = f"{requests(seen, finding)} still failed; a first try fails in {percent(tries.share)}, so {row}"
    if finding.verdict is Verdict.FALSIFIED:
        return f"{said}; but {_wrong(tries)}."
    if finding.verdict is Verdict.INCONCLUSIVE:
        return f"{said}; {possible(finding)}"
    return f"{said}. Every try fails as often as the first, and every one that failed was followed by the next."


def _too_rare(tries: Tries) -> str:
    """Return why tries that hardly ever fail say nothing of retries."""
    if not tries.failed[0]:
        return f"no try of {thousands(tries.tried[0])} failed, so there was nothing to retry"
    made = f"the last of {tries.most} was made for {thousands(tries.tried[-1])} of {plural(tries.requests, 'request')}"
    return (
        f"a first try fails in {percent(tries.share)}, so {made}; "
        f"to see how often it fails takes more than {thousands(MOST_REQUESTS)}"
    )


def _wrong(tries: Tries) -> str:
    """Return what is wrong with the tries: some given up, some too many, or one that fails more or less often."""
    given_up = sum(tries.given_up)
    if tries.again > ASTRAY * tries.failed[-1]:
        return f"{thousands(tries.again)} were tried more than {tries.most} times"
    if given_up > tries.left - given_up or any(k > ASTRAY * n for k, n in tries.astray):
        return f"{thousands(given_up)} were given up with retries left"
    shares = [(number, k / n) for number, (k, n) in enumerate(tries.places, 1) if n > 1 and number > 1]
    number, share = max(shares, key=lambda each: abs(log((each[1] + 1e-9) / tries.share)), default=(2, 0.0))
    how = "together" if share > tries.share else "less often than that"
    return f"try {number} fails in {percent(share)}: the tries of one request fail {how}"
