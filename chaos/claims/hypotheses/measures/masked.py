"""The measure masked(host): the share of injected aborts that no user noticed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.claims.finding import Finding, Tally
from chaos.claims.hypotheses.hypothesis import Hypothesis, Known, rules_of
from chaos.claims.hypotheses.limits import against_limit
from chaos.claims.hypotheses.measure import Measure
from chaos.claims.hypotheses.measures.metric import Metric
from chaos.claims.hypotheses.observed_values import share_of
from chaos.claims.hypotheses.sentences import between, ending
from chaos.claims.shares.sentences import share_of as shown_share
from chaos.claims.shares.sentences import target_of
from chaos.faults import FaultKind, count_of
from chaos.formatting import THIN
from chaos.formatting import count as thousands
from chaos.verify.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Masked(Metric):
    comparable: ClassVar[bool] = False
    each_second: ClassVar[bool] = False
    followed: ClassVar[bool] = True
    kind: ClassVar[str] = "masking"

    def judge(self, finding: Finding, hypothesis: Hypothesis, known: Known) -> Finding:
        """Return the finding, judged by id if the application passes ids on, else by totals, which can verify but not
        falsify.

        The gateway counts a fault before the load counts its user's outcome, so the gateway's counts of the judgement
        before are used."""
        expression = hypothesis.expression
        rules, phase = known.hosts.get(expression.left.argument, ()), expression.phase
        tally = known.masking.tally(phase, rules)
        if tally.n:
            judged = against_limit(replace(finding, ledgers=("drawn", "observed")), expression, tally)
            return replace(judged, sentence=_sentence(judged, followed=True))
        aborted = sum(count_of(FaultKind.ABORT, counts["faults"]) for counts in rules_of(known.earlier, phase, rules))
        failures = share_of(Measure("failures", phase, expression.left.task), known.observed).k
        judged = against_limit(finding, expression, Tally(max(0, aborted - failures), aborted))
        if judged.verdict is Verdict.FALSIFIED:  # the failures may have other causes than the faults
            judged = replace(judged, verdict=Verdict.INCONCLUSIVE, needed=None)
        return replace(judged, sentence=_sentence(judged, followed=False))


def _sentence(finding: Finding, *, followed: bool) -> str:
    """Return the sentence on the share of faults that users did not see."""
    seen = finding.observed
    if seen is None or not seen.n:
        return "No fault was injected, so there was nothing to mask."
    said = ending(finding, target_of(finding).replace(THIN, ""))
    if followed:
        share = f"{shown_share(seen, finding)} of {thousands(seen.n)} requests that were aborted on their way"
        return f"{share} ended well for their users{between(finding)}{said}"
    least = f"at least {shown_share(seen, finding)} of {thousands(seen.n)} injected aborts were seen by no user"
    return f"{least[0].upper()}{least[1:]}, going by totals, as ids are not passed on{said}"
