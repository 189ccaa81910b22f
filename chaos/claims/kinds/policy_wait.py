"""The claim *policy-wait*: the requests that a FaultPolicy delays wait as long as its distribution says.

What they took is compared, value by value, with what the same tasks take without it, plus a wait that is drawn from
the distribution: nowhere may the two distribution functions be further apart than `APART`. Where every request waits,
and no phase shows how long they take otherwise, only waits that are too short can be seen."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from chaos.claims.effects import PhaseEffects
from chaos.claims.evidence import MAIN, Evidence
from chaos.claims.finding import Finding, Tally
from chaos.claims.kinds.policy_share import PolicyClaim
from chaos.claims.observations import Observed, Outcome
from chaos.claims.policing import PolicyEffect
from chaos.claims.shares.by_latency import near
from chaos.formatting import plural
from chaos.policies.distributions import Distribution
from chaos.policies.fault import is_tagged
from chaos.units import Unit, format_duration
from chaos.verify.distribution import distance
from chaos.verify.planning import Requests
from chaos.verify.quantile import Sample
from chaos.verify.verdict import Verdict

APART = 0.1
"""The greatest distance of the two distribution functions."""

PLACES = 100
"""Quantiles at which the two functions are compared: a hundredth is a tenth of what they may be apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWaitClaim(PolicyClaim):
    """The claim about how long the requests of a policy with a distribution wait."""

    kind: ClassVar[str] = "policy-wait"
    unit: ClassVar[Unit] = "seconds"
    measured_target: ClassVar[bool] = True

    @classmethod
    def of_policy(cls, effect: PolicyEffect, phase: PhaseEffects, tolerance: float) -> Iterator[Self]:
        """Yield the claim of the distribution, for a policy in front of the rules."""
        found = effect.fault.distribution
        if found is not None and phase.faults and not effect.policy.upstream and effect.policy.percent.fraction > 0:
            yield cls.about(effect, f"wait {found.sentence}", None, tolerance)

    @property
    def distribution(self) -> Distribution:
        found = self.effect.fault.distribution
        assert found is not None
        return found

    def _tagged(self, outcome: Outcome) -> bool | None:
        return True if is_tagged(outcome.policy, self.effect.name) else None

    def requests_needed(self, alpha: float) -> Requests | None:
        return None

    def judge(self, evidence: Evidence) -> Finding:
        late = evidence.observed.sample(self._met)
        base, here = self._base(evidence.observed)
        middle = self.distribution.at(0.5)
        finding = replace(self.blank(evidence), configured=middle, ledgers=("configured", "observed"), drawn=None)
        if not late.n:
            return replace(finding, cause="traffic", sentence="No request waited, so nothing is known about how long.")
        if evidence.starved:
            said = f"Nothing is known of how long they waited: {evidence.starved}."
            return replace(finding, verdict=Verdict.INCONCLUSIVE, cause="starved", sentence=said)
        alpha = evidence.alpha * MAIN
        band = distance(late.n, alpha / 2)
        gap = early = self._early(late)
        if base.n:
            band += distance(base.n, alpha / 2)
            gap = max(early, self._apart(late, base))
        took = late.quantile(0.5) - (base.quantile(0.5) if base.n else 0.0)
        finding = replace(finding, observed=Tally(late.n, late.n), estimate=max(0.0, took))
        return self._with_verdict(finding, gap, early if not here else gap, band, bool(base.n))

    def _base(self, observed: Observed) -> tuple[Sample, bool]:
        """Return what its requests take without the policy, and whether that is from the same phase: a machine that is
        busier in one phase than in another is not the policy's doing."""
        here = observed.sample(lambda outcome: self._unmet(outcome) and outcome.phase == self.phase)
        return (here, True) if here.n >= PLACES else (observed.sample(self._unmet), False)

    def _with_verdict(self, finding: Finding, gap: float, sure: float, band: float, compared: bool) -> Finding:
        """Return the finding with its verdict: `gap` is how far the functions are apart, `sure` the part of it that
        nothing but the policy explains."""
        seen = plural(finding.observed.n if finding.observed else 0, "request")
        said = f"Half of {seen} waited longer than {format_duration(finding.estimate or 0.0)}"
        apart = f"the distribution is off by {max(0.0, gap) * 100:.3g} points"
        if sure - band > APART:
            verdict, cause = Verdict.FALSIFIED, "delay"
            said = f"{said}, and {apart}, more than {APART * 100:g}"
        elif not compared:
            verdict, cause = Verdict.NOT_JUDGED, "unseen"
            said = (
                "Not judged: every request waits, so nobody knows how long they take otherwise; none waits too little"
            )
        elif gap + band <= APART:
            verdict, cause = Verdict.VERIFIED, ""
            said = f"{said}; {apart} at most where it is most"
        else:
            verdict, cause = Verdict.INCONCLUSIVE, ""
            said = f"{said}; {apart}, give or take {band * 100:.3g}"
        needed = None
        if verdict is Verdict.INCONCLUSIVE and gap < APART and finding.observed is not None:
            needed = max(1, int(finding.observed.n * ((band / (APART - gap)) ** 2 - 1)))
        return replace(finding, verdict=verdict, cause=cause, needed=needed, sentence=f"{said}.")

    def _early(self, late: Sample) -> float:
        """Return by how much more of them are quick than can be, if the wait were all."""
        slack = near(self.distribution.at(0.5))
        places = zip(late.buckets, late.running, strict=True)
        return max(0.0, *(sofar / late.n - self.distribution.cdf(high + slack) for (_, high, _), sofar in places))

    def _apart(self, late: Sample, base: Sample) -> float:
        """Return by how much the two functions are apart, looked at in `PLACES`."""
        slack = near(self.distribution.at(0.5))
        ends, begins = [high for _, high, _ in late.buckets], [low for low, _, _ in late.buckets]
        sums = [0, *late.running]
        usual = [base.quantile((place + 0.5) / PLACES) for place in range(PLACES)]
        gap = 0.0
        for place in range(1, PLACES):
            at = late.quantile(place / PLACES)
            most = sum(self.distribution.cdf(at - each + slack) for each in usual) / PLACES
            least = sum(self.distribution.cdf(at - each - slack) for each in usual) / PLACES
            surely, perhaps = sums[bisect_right(ends, at)] / late.n, sums[bisect_left(begins, at)] / late.n
            gap = max(gap, surely - most, least - perhaps)
        return gap

    def _met(self, outcome: Outcome) -> bool:
        return bool(outcome.status) and self._asked(outcome) and is_tagged(outcome.policy, self.effect.name)

    def _unmet(self, outcome: Outcome) -> bool:
        mine = self.tasks is None or outcome.task in self.tasks
        return bool(outcome.status) and mine and not outcome.policy and "delay" not in outcome.fault

    def did(self) -> str:
        return "waited"
