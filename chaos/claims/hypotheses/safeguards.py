"""Safeguards stop a run when their expression has been violated for `hold_for` seconds on end.

Every one of these seconds must violate the limit by itself. So that unlucky requests do not stop a run, all of them
together must also violate it, with an alpha that the whole run has once: a stretch of l seconds that ends in second t
may use ALPHA / (t (t + 1) l (l + 1)), and these add up to ALPHA over all t and l. So a run exactly at its limit is
stopped with a probability of 1 % at most, after an hour as after a minute. Seconds without traffic are skipped: they
neither add to the violation nor end it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from chaos.claims.finding import Finding
from chaos.claims.hypotheses import sentences as words
from chaos.claims.hypotheses.limits import judge_expression
from chaos.claims.hypotheses.measure import Expression
from chaos.claims.observations import Observations, Observed
from chaos.verify.verdict import Verdict

ALPHA = 0.01
"""The alpha of each safeguard, over the whole run."""


@dataclass(slots=True)
class Safeguard:
    """One safeguard. Its expression compares a share or a quantile with a value or another measure; `hold_for` is in
    seconds."""

    expression: Expression
    hold_for: float = 1.0
    elapsed: int = 0
    _stretch: deque[Observations] = field(default_factory=deque)

    def observe(self, digest: Observations) -> Finding | None:
        """Add one second. Return a finding if the limit has been violated long enough, else None."""
        self.elapsed += 1
        second = self._judge([digest])
        if second.estimate is None and second.verdict is Verdict.NO_TRAFFIC:
            return None
        if not self._broken(second):
            self._stretch.clear()
            return None
        self._stretch.append(digest)
        if len(self._stretch) < ceil(self.hold_for):
            return None
        found = self._judge(tuple(self._stretch))
        if found.verdict is Verdict.FALSIFIED:
            return replace(found, sentence=self._sentence(found))
        return None

    def _alpha(self, length: int) -> float:
        return ALPHA / (self.elapsed * (self.elapsed + 1) * length * (length + 1))

    def _judge(self, digests: Sequence[Observations]) -> Finding:
        length = max(1, len(digests))
        observed = Observed()
        for digest in digests:
            observed.add(digest)
        expression = self.expression
        comparing = expression.right is not None
        blank = Finding(
            id=f"safeguard#{expression.text}",
            kind="safeguard",
            title=expression.text,
            verdict=Verdict.NO_TRAFFIC,
            phase=expression.phase or "",
            task=expression.left.task or "",
            unit="ratio" if comparing else expression.left.unit,
            sense=expression.sense,
            configured=expression.factor if comparing else expression.limit,
            confidence=1 - ALPHA,
            alpha=self._alpha(length),
            ledgers=("observed",),
        )
        return judge_expression(blank, expression, observed)

    def _broken(self, second: Finding) -> bool:
        """Return whether the second alone violates the limit, as an infinite latency does."""
        if second.configured is None or second.estimate is None:
            return second.sense == "below"
        if second.sense == "below":
            return second.estimate > second.configured
        return second.estimate < second.configured

    def _sentence(self, found: Finding) -> str:
        return f"For {len(self._stretch)} s: {words.hypothesis(found, self.expression)}"


class Safeguards:
    """All safeguards of an experiment. The first that fires stops the run."""

    def __init__(self, safeguards: Sequence[Safeguard]):
        self.all = tuple(safeguards)

    def observe(self, digest: Observations) -> Finding | None:
        """Add one second to each. Return the finding of the first that fires, or None."""
        fired = [found for safeguard in self.all if (found := safeguard.observe(digest)) is not None]
        return fired[0] if fired else None
