"""The claim *policy-slower*: responses that pass at a rate, by a FaultPolicy, take longer than those that do not.

By how much depends on the length of their bodies, which nobody counts; but what is only tagged takes as long as the
others. Of those that are slowed, less than `QUICK` are quicker than the middle one of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from chaos.claims.effects import PhaseEffects
from chaos.claims.evidence import MAIN, Evidence
from chaos.claims.finding import Finding, Tally
from chaos.claims.kinds.policy_wait import PolicyWaitClaim
from chaos.claims.policing import PolicyEffect
from chaos.formatting import plural
from chaos.formatting import share as percent
from chaos.units import Unit
from chaos.verify.distribution import distance
from chaos.verify.verdict import Verdict

QUICK = 0.25
"""Half of them would be, if nothing slowed them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySlowerClaim(PolicyWaitClaim):
    """The claim that a policy's requests are slower than others."""

    kind: ClassVar[str] = "policy-slower"
    unit: ClassVar[Unit] = "share"

    @classmethod
    def of_policy(cls, effect: PolicyEffect, phase: PhaseEffects, tolerance: float) -> Iterator[Self]:
        """Yield the claim, for a fault that slows bodies."""
        if effect.fault.slows and phase.faults and effect.policy.percent.fraction > 0:
            yield cls.about(effect, "slower than others", None, tolerance)

    def judge(self, evidence: Evidence) -> Finding:
        slow, others = evidence.observed.sample(self._met), evidence.observed.sample(self._unmet)
        n = slow.n
        finding = replace(self.blank(evidence), sense="below", configured=QUICK, drawn=None)
        finding = replace(finding, ledgers=("configured", "observed"))
        if not n:
            return replace(finding, cause="traffic", sentence="No request was slowed, so nothing is known about it.")
        if not others.n:
            said = "every request is slowed, so there is nothing to compare them with"
            return self.not_judged(evidence, f"{said}; a phase without faults would show it")
        middle = others.quantile(0.5)
        quick = sum(count for low, high, count in slow.buckets if (low + high) / 2 <= middle)
        band = distance(n, evidence.alpha * MAIN / 2) + distance(others.n, evidence.alpha * MAIN / 2)
        low, high = max(0.0, quick / n - band), min(1.0, quick / n + band)
        verdict = Verdict.VERIFIED if high < QUICK else Verdict.FALSIFIED if low > QUICK else Verdict.INCONCLUSIVE
        said = f"{percent(quick / n)} of {plural(n, 'slowed request')} were quicker than the middle one of the others"
        return replace(
            finding,
            observed=Tally(quick, n),
            estimate=quick / n,
            interval=(low, high),
            verdict=verdict,
            cause="tagged-only" if verdict is Verdict.FALSIFIED else "",
            sentence=f"{said}.",
        )

    def did(self) -> str:
        return "were quicker than the middle one of the others"
