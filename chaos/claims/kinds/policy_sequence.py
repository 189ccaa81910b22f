"""The claim *policy-sequence*: requests fail in the order, or at the time, that a FaultPolicy says.

Each n-th request is a share; the first ones are a number; an outage is every request while it lasts and none beside it;
of a ramp the share of the whole follows from when requests were sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from chaos.claims.effects import PhaseEffects
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import EASY, HARD
from chaos.claims.finding import Finding, Ledger, Tally
from chaos.claims.gateway_ledger import GatewayLedger
from chaos.claims.kinds.policy_share import PolicyShareClaim
from chaos.claims.policing import PolicyEffect
from chaos.claims.shares.judging import judge_share
from chaos.claims.windows import in_window, stretches
from chaos.formatting import count as thousands
from chaos.formatting import plural
from chaos.policies.choosers import Growing
from chaos.policies.kinds.sequence import Sequence
from chaos.verify.planning import Requests
from chaos.verify.verdict import Verdict

UNSEEN_TIME = "beneath the retries nobody sees when an attempt was made"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySequenceClaim(PolicyShareClaim):
    """The claim about a sequence; `share` is None where it follows from what the run measures."""

    sequence: Sequence | None = None

    kind: ClassVar[str] = "policy-sequence"

    @classmethod
    def of_policy(cls, effect: PolicyEffect, phase: PhaseEffects, tolerance: float) -> Iterator[Self]:
        """Yield the claim about the sequence; of 0 % in a phase without faults."""
        fault = effect.fault
        if not isinstance(fault, Sequence):
            return
        if not phase.faults:
            yield replace(cls.about(effect, "no failures", 0.0, tolerance), sequence=fault)
            return
        share = 1 / fault.every if fault.every is not None else 1.0 if fault.outage is not None else None
        unseen = UNSEEN_TIME if effect.policy.upstream and fault.every is None else ""
        yield replace(cls.about(effect, _title(fault), share, tolerance), sequence=fault, unseen=unseen)

    @property
    def weight(self) -> float:
        return EASY if self.sequence is not None and self.sequence.first is not None else HARD

    def requests_needed(self, alpha: float) -> Requests | None:
        every = self.sequence is not None and self.sequence.every is not None
        return PolicyShareClaim.requests_needed(self, alpha) if every else None

    def drawn(self, ledger: GatewayLedger) -> Tally | None:
        """Return the gateway's counts, but of an outage, which it counts together with what is beside it."""
        outage = self.sequence is not None and self.sequence.outage is not None and self.share != 0.0
        return None if outage else PolicyShareClaim.drawn(self, ledger)

    def judge(self, evidence: Evidence) -> Finding:
        fault = self.sequence
        if fault is None or self.effect.policy.upstream or self.share == 0.0 or fault.every is not None:
            return PolicyShareClaim.judge(self, evidence)
        if fault.first is not None:
            return self._first(evidence, fault.first)
        if fault.outage is not None:
            return self._outage(evidence)
        return self._ramp(evidence)

    def _first(self, evidence: Evidence, wanted: int) -> Finding:
        """Return the finding on the first requests: so many failed, and no other."""
        seen = evidence.running.follow(evidence.observed)
        unknown = sum(evidence.running.lost) + self.unexplained(evidence)
        finding = replace(
            self.blank(evidence), unit="count", configured=float(wanted), unknown=unknown, ledgers=_LEDGERS
        )
        if not seen.n:
            return replace(finding, cause="traffic", sentence="No request reached this policy.")
        due = min(wanted, seen.n)
        if seen.k > wanted or (seen.k + unknown < due and seen.n >= wanted):
            verdict = Verdict.FALSIFIED
        else:
            verdict = Verdict.VERIFIED if seen.n >= wanted and not unknown else Verdict.INCONCLUSIVE
        said = (
            f"{thousands(seen.k)} of {plural(seen.n, 'request')} failed, of the first {thousands(wanted)} of the phase"
        )
        return replace(
            finding,
            observed=seen,
            estimate=float(seen.k),
            interval=(float(seen.k), float(seen.k + unknown)),
            verdict=verdict,
            cause="count" if verdict is Verdict.FALSIFIED else "",
            sentence=f"{said}." if not unknown else f"{said}; {thousands(unknown)} more had no response.",
        )

    def _outage(self, evidence: Evidence) -> Finding:
        assert self.sequence is not None
        assert self.sequence.outage is not None
        outage, opens = self.sequence.outage, self.effect.policy.when.after
        window = in_window(
            evidence.observed, self.phase, self.classify, opens + outage.after, outage.for_, outage.every
        )
        finding = judge_share(self, evidence, window.inside)
        if not window.inside.n and finding.observed is None:
            said = "No request was sent while the outage lasted."
            finding = replace(finding, verdict=Verdict.NO_TRAFFIC, cause="traffic", sentence=said)
        if window.outside.k:
            return replace(finding, **window.refuted())
        return finding

    def _ramp(self, evidence: Evidence) -> Finding:
        """Return the finding on the share of all requests, each stretch with the share that was due in its middle."""
        assert self.sequence is not None
        chooser, opens = self.sequence.chooser(), self.effect.policy.when.after
        assert isinstance(chooser, Growing)
        k = n = 0
        due = 0.0
        for each in stretches(evidence.observed, self.phase, self.classify):
            middle = (each.start + each.end) / 2 - opens
            if middle >= 0:
                k, n = k + each.tally.k, n + each.tally.n
                due += each.tally.n * chooser.share(middle)
        if not n:
            said = "No request reached this policy."
            return replace(self.blank(evidence), cause="traffic", sentence=said)
        share = min(1.0, max(0.0, due / n))
        return judge_share(replace(self, share=share), evidence, Tally(k, n))

    def did(self) -> str:
        return "failed"


_LEDGERS: tuple[Ledger, ...] = ("configured", "drawn", "observed")


def _title(fault: Sequence) -> str:
    return f"failing: {fault.choice('requests')}".rstrip(",")
