"""The claim *failures*: what a phase's rules forward does not fail by itself, because there is something behind.

The gateway counts how the requests that it forwards end: with a response from upstream, whatever its status (that is
the application's own affair), or with a failure on the way there, by Envoy's response flag. A timeout is explained by
a delay that the phase injects, here or further on, and an overflow by the circuit breaker that the user has set. It is
the end of a request that counts, not those of its attempts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from chaos.claims.effects import Effect, PhaseEffects, forwards
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import EASY, Expectation
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger
from chaos.claims.observations import Outcome
from chaos.claims.shares.from_log import nothing_yet, trouble_of
from chaos.claims.shares.sentences import possible
from chaos.formatting import count as thousands
from chaos.formatting import listed, plural
from chaos.protocol.counters import RuleCounters
from chaos.verify.claim import rarely
from chaos.verify.planning import Requests, requests_needed
from chaos.verify.verdict import Verdict

LIMIT = 0.01
"""Of the requests that a rule takes. A connection that goes stale, a replica that is replaced: a few in a thousand fail
in every system. It is half of the tolerance with which shares are claimed, so what it forgives hides no other claim."""
MOST = 0.5
"""Of the requests that a rule forwards, however few it leaves to be forwarded."""

TIMEOUT, OVERFLOW, INJECTED = "UT", "UO", "FI"
FLAGS = {
    "UH": "no healthy upstream",
    "NC": "no such service, port or subset",
    "UF": "connection refused or failed",
    "UC": "connection ended before the response",
    "UPE": "not a valid HTTP response",
    TIMEOUT: "no response in time",
}


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A rule that forwards. `limit` is the share of what it forwards that may fail; `tasks` are as an effect's."""

    key: str
    name: str
    where: str
    tasks: tuple[str, ...] | None
    limit: float

    @classmethod
    def of(cls, effect: Effect, faults: bool) -> Forwarding:
        forwarded = effect.forwarded if faults else 1.0
        return cls(effect.key, effect.name, effect.where, effect.tasks, min(LIMIT / forwarded, MOST))


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a rule's forwarded requests: of `tally.n` that were answered or failed by themselves `tally.k`
    failed."""

    rule: Forwarding
    tally: Tally
    verdict: Verdict

    @property
    def excess(self) -> float:
        """How much of what is forgiven was used up."""
        return (self.tally.share or 0.0) / self.rule.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class FailuresClaim(Expectation):
    """It holds when it holds of each of `rules`, and does not when it does not of one. `delays`: a fault of the phase
    explains timeouts."""

    rules: tuple[Forwarding, ...]
    delays: bool

    kind: ClassVar[str] = "failures"
    of_whole_phase: ClassVar[bool] = True
    logged: ClassVar[bool] = True

    @classmethod
    def of_phase(cls, phase: PhaseEffects) -> Iterator[Self]:
        """Yield one for a phase with rules that forward."""
        forwarding = [each for each in phase.effects if each.reply is None and forwards(each, phase.faults)]
        rules = {each.key: Forwarding.of(each, phase.faults) for each in forwarding if each.key}
        if phase.own_failures and rules:
            limit = max(each.limit for each in rules.values())
            yield cls(
                id="failures",
                title="failing by themselves",
                share=limit,
                tolerance=limit,
                rules=tuple(rules.values()),
                delays=phase.delays,
            )

    @property
    def weight(self) -> float:
        return EASY

    @property
    def groups(self) -> tuple[tuple[str, ...] | None, ...]:
        return tuple(each.tasks for each in self.rules)

    @property
    def hidden(self) -> str:
        return "a response does not show whether the gateway itself or what is behind it failed"

    def _tagged(self, outcome: Outcome) -> bool | None:
        return None

    def did(self) -> str:
        return "failed by themselves"

    def requests_needed(self, alpha: float) -> Requests | None:
        """Return how many requests of the scarcest rule it takes: what its aborts leave to be forwarded is less, and as
        much more may fail of it."""
        return requests_needed(rarely(LIMIT), alpha / len(self.rules))

    def smallest_deviation(self, requests: int, alpha: float) -> float | None:
        return None

    def drawn(self, ledger: GatewayLedger) -> Tally | None:
        tallies = [tally for each in self.rules if (tally := ledger.tally(self.phase, each.key, self._tally))]
        return _sum(tallies) if ledger.known else None

    def judge(self, evidence: Evidence) -> Finding:
        if not self.tagged and (trouble := trouble_of(evidence)):
            return self.not_judged(evidence, trouble)
        finding = replace(self.blank(evidence), sense="below", ledgers=("configured", "drawn"))
        alpha = evidence.alpha / len(self.rules)
        fates = [fate for each in self.rules if (fate := self._fate(each, evidence.ledger, alpha))]
        if not fates and not self.tagged:
            return nothing_yet(self, evidence)
        if not fates:
            said = "No request was forwarded, so nothing is known about what is behind."
            return replace(finding, cause="traffic", sentence=said)
        verdict = _verdict(fates)
        decisive = [fate for fate in fates if fate.verdict is verdict]
        worst = max(decisive, key=lambda fate: fate.excess)
        own = _sum([fate.tally for fate in decisive])
        limit = max(fate.rule.limit for fate in decisive)
        finding = replace(finding, verdict=verdict, configured=limit, drawn=own)
        return self._told(finding, worst, decisive, evidence, alpha)

    def _told(self, finding: Finding, worst: Fate, decisive: list[Fate], evidence: Evidence, alpha: float) -> Finding:
        own, claim = finding.drawn or Tally(0, 0), rarely(finding.configured or LIMIT)
        if len(decisive) == 1:
            finding = replace(finding, rule=worst.rule.key, rule_name=worst.rule.name, where=worst.rule.where)
        if not own.n:
            return replace(finding, sentence=self._unanswered(decisive, evidence.ledger))
        interval = claim.interval(own.k, own.n, alpha)
        finding = replace(
            finding,
            estimate=own.share,
            interval=(interval.low, interval.high),
            cause="upstream" if finding.verdict is Verdict.FALSIFIED else "",
            needed=_needed(worst, alpha) if finding.verdict is Verdict.INCONCLUSIVE else None,
        )
        return replace(finding, sentence=self._sentence(finding, own, decisive, evidence.ledger))

    def _fate(self, rule: Forwarding, ledger: GatewayLedger, alpha: float) -> Fate | None:
        """Return what became of what a rule forwards; None while it has forwarded nothing."""
        counts = ledger.rule(self.phase, rule.key)
        if counts is None or not counts["forwarded"]:
            return None
        tally = self._tally(counts)
        if tally.n:
            unlogged = ledger.unlogged(self.phase, rule.key)
            return Fate(rule, tally, rarely(rule.limit).assess(tally.k, tally.n, alpha, unlogged))
        return Fate(rule, tally, Verdict.NOT_JUDGED if self._explained(counts) else Verdict.INCONCLUSIVE)

    def _tally(self, counts: RuleCounters) -> Tally:
        failed = sum(self._failures(counts).values())
        return Tally(failed, failed + counts["answered"])

    def _failures(self, counts: RuleCounters) -> Counter[str]:
        explained = {OVERFLOW, INJECTED, TIMEOUT} if self.delays else {OVERFLOW, INJECTED}
        return Counter({flag: n for flag, n in counts["failures"].items() if flag not in explained})

    def _explained(self, counts: RuleCounters) -> bool:
        """Return whether a delay or a circuit breaker accounts for requests that were not answered."""
        return self.delays or OVERFLOW in counts["failures"]

    def _unanswered(self, fates: list[Fate], ledger: GatewayLedger) -> str:
        counts = [ledger.rule(self.phase, fate.rule.key) for fate in fates]
        forwarded = plural(sum(each["forwarded"] for each in counts if each), "forwarded request")
        if all(fate.verdict is Verdict.NOT_JUDGED for fate in fates):
            return f"None of {forwarded} was answered, as delays, timeouts and circuit breakers of the rules explain."
        return f"None of {forwarded} was answered before its client left, so nothing is known about what is behind."

    def _sentence(self, finding: Finding, own: Tally, fates: list[Fate], ledger: GatewayLedger) -> str:
        if not own.k:
            said = f"None of {plural(own.n, 'forwarded request')} failed by itself"
        else:
            whole = plural(own.n, "forwarded request")
            said = f"{thousands(own.k)} of {whole} failed by themselves: {self._flags(fates, ledger)}"
        if finding.verdict is Verdict.INCONCLUSIVE:
            return f"{said}; {possible(finding)}"
        return f"{said}."

    def _flags(self, fates: list[Fate], ledger: GatewayLedger) -> str:
        found: Counter[str] = Counter()
        for fate in fates:
            counts = ledger.rule(self.phase, fate.rule.key)
            found += self._failures(counts) if counts else Counter()
        several = len(found) > 1
        words = [(f"{FLAGS[flag]} ({flag})" if flag in FLAGS else flag, n) for flag, n in found.most_common()]
        return listed([f"{thousands(n)} {what}" if several else what for what, n in words])


def _verdict(fates: list[Fate]) -> Verdict:
    """Return the first of these that some rule has; verified when all are that can be judged."""
    found = {fate.verdict for fate in fates}
    order = (Verdict.FALSIFIED, Verdict.INCONCLUSIVE, Verdict.VERIFIED)
    return next((verdict for verdict in order if verdict in found), Verdict.NOT_JUDGED)


def _needed(fate: Fate, alpha: float) -> int | None:
    return rarely(fate.rule.limit).needed(fate.tally.k, fate.tally.n, alpha)


def _sum(tallies: list[Tally]) -> Tally:
    return Tally(sum(each.k for each in tallies), sum(each.n for each in tallies))
