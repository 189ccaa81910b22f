"""The claim *policy-quota*: of more requests than a quota allows, as many pass in a second as it says.

It shows while the load is above the quota: in stretches in which some are refused, those that pass are counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from chaos.claims.effects import PhaseEffects
from chaos.claims.evidence import Evidence
from chaos.claims.expectation import EASY
from chaos.claims.finding import Finding, Tally
from chaos.claims.kinds.policy_sequence import UNSEEN_TIME
from chaos.claims.kinds.policy_share import PolicyShareClaim
from chaos.claims.policing import PolicyEffect
from chaos.claims.windows import Stretch, stretches
from chaos.formatting import plural
from chaos.policies.kinds.quota import Quota
from chaos.verify.planning import Requests
from chaos.verify.verdict import Verdict

TOLERANCE = 0.05
"""Of the rate: a stretch of the load is about a second, give or take some milliseconds."""
LEAST, ENOUGH = 5.0, 10.0
"""Seconds above the quota with which it is verified, and with which a rate that is off is not an accident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyQuotaClaim(PolicyShareClaim):
    """The claim that `rate` requests pass in a second."""

    rate: float = 0.0

    kind: ClassVar[str] = "policy-quota"

    @classmethod
    def of_policy(cls, effect: PolicyEffect, phase: PhaseEffects, tolerance: float) -> Iterator[Self]:
        """Yield the claim about the rate; of 0 % refused in a phase without faults."""
        fault = effect.fault
        if not isinstance(fault, Quota):
            return
        if not phase.faults:
            yield cls.about(effect, "no quota", 0.0, tolerance)
        else:
            made = cls.about(effect, f"{fault.rate:g} a second pass", None, tolerance)
            unseen = UNSEEN_TIME if effect.policy.upstream else ""
            yield replace(made, rate=fault.rate * effect.policy.percent.fraction, unseen=unseen)

    @property
    def weight(self) -> float:
        return EASY

    def requests_needed(self, alpha: float) -> Requests | None:
        return None

    def judge(self, evidence: Evidence) -> Finding:
        if not self.rate:
            return PolicyShareClaim.judge(self, evidence)
        seen = evidence.running.follow(evidence.observed)
        finding = replace(self.blank(evidence), unit="count", configured=self.rate, tolerance=TOLERANCE * self.rate)
        finding = replace(finding, observed=seen if seen.n else None, ledgers=("configured", "drawn", "observed"))
        if not seen.n:
            return replace(finding, cause="traffic", sentence="No request reached this policy.")
        above = self._above(evidence)
        seconds = sum(each.end - each.start for each in above)
        if seconds < LEAST:
            return replace(finding, verdict=Verdict.INCONCLUSIVE, sentence=self._too_little(seen))
        passed = sum(each.tally.n - each.tally.k for each in above)
        unknown = sum(evidence.running.lost) + self.unexplained(evidence)
        low, high = passed / seconds, (passed + unknown) / seconds
        off = max(abs(low - self.rate), abs(high - self.rate)) > TOLERANCE * self.rate
        certain = high < (1 - TOLERANCE) * self.rate or low > (1 + TOLERANCE) * self.rate
        verdict = Verdict.INCONCLUSIVE if off else Verdict.VERIFIED
        if certain and seconds >= ENOUGH:
            verdict = Verdict.FALSIFIED
        said = f"{low:.4g} a second passed in {seconds:.0f} s above the quota of {self.rate:g}"
        return replace(
            finding,
            estimate=low,
            interval=(low, high),
            verdict=verdict,
            cause="count" if verdict is Verdict.FALSIFIED else "",
            sentence=f"{said}.",
        )

    def _above(self, evidence: Evidence) -> list[Stretch]:
        """Return the whole stretches above the quota, without the first, in which its burst passes."""
        found = [each for each in stretches(evidence.observed, self.phase, self.classify) if each.tally.k]
        return found[1:-1]

    def _too_little(self, seen: Tally) -> str:
        if not seen.k:
            return (
                f"None of {plural(seen.n, 'request')} was refused: the load was never above the quota of {self.rate:g}."
            )
        return f"The load was above the quota of {self.rate:g} a second for less than {LEAST:g} s."

    def did(self) -> str:
        return "were refused"
