"""The measure masked(host): of the aborts that were injected into calls of a host, the share that no user noticed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.claims.finding import Finding
from chaos.claims.hypotheses.hypothesis import Hypothesis, Known, rules_of
from chaos.claims.hypotheses.limits import against_limit
from chaos.claims.hypotheses.masking import Followed
from chaos.claims.hypotheses.measure import Measure
from chaos.claims.hypotheses.measures.metric import Metric
from chaos.claims.hypotheses.observed_values import pending_of, share_of
from chaos.claims.hypotheses.sentences import between, ending
from chaos.claims.shares.sentences import share_of as shown_share
from chaos.claims.shares.sentences import target_of
from chaos.faults import FaultKind, count_of
from chaos.formatting import THIN, plural
from chaos.verify.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Masked(Metric):
    comparable: ClassVar[bool] = False
    each_second: ClassVar[bool] = False
    followed: ClassVar[bool] = True
    kind: ClassVar[str] = "masking"

    @property
    def hidden(self) -> str:
        return "only a gateway of ours says which calls were aborted"

    def judge(self, finding: Finding, hypothesis: Hypothesis, known: Known) -> Finding:
        """Return the finding, by the faults that were followed to their users; not judged if ids are not passed on."""
        expression = hypothesis.expression
        rules, phase, task = known.hosts.get(expression.left.argument, ()), expression.phase, expression.left.task
        found = known.masking.followed(phase, rules, task, pending_of(expression.left, known.observed))
        finding = replace(finding, ledgers=("drawn", "observed"))
        if found.faults.n:
            judged = against_limit(finding, expression, found.faults, found.unknown, found.most)
            return replace(judged, sentence=_sentence(judged, found))
        counters = known.earlier or known.counters
        aborted = sum(count_of(FaultKind.ABORT, counts["faults"]) for counts in rules_of(counters, phase, rules))
        if not aborted:
            return replace(finding, sentence="No fault was injected, so there was nothing to mask.")
        failures = share_of(Measure("failures", phase, task), known.observed).k
        sentence = _cannot_follow(aborted, failures)
        if known.masking.strangers(phase, rules):
            return replace(finding, verdict=Verdict.NOT_JUDGED, cause="unseen", sentence=f"Not judged: {sentence}")
        return replace(finding, verdict=Verdict.INCONCLUSIVE, sentence=f"{sentence[0].upper()}{sentence[1:]}")


def _sentence(finding: Finding, found: Followed) -> str:
    """Return the sentence on the share of the followed faults that users did not see."""
    sampled = f"{plural(found.requests, 'sampled user request')} met {plural(found.faults.n, 'abort')}"
    share = f"{shown_share(found.faults, finding)} of them in requests that ended well"
    return f"{sampled}, {share}{between(finding)}{ending(finding, target_of(finding).replace(THIN, ''))}"


def _cannot_follow(aborted: int, failures: int) -> str:
    """Return why aborts that belong to nobody say nothing of what users saw."""
    said = f"{plural(aborted, 'call')} were aborted and {plural(failures, 'user request')} failed"
    why = "how many of the aborts a failed request had met is unknown, as none has the id of a sampled request"
    return f"{said}, but {why}; the application has to pass x-request-id on."
