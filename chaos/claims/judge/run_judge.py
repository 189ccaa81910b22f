"""Everything that judges a run, behind one face: expectations, hypotheses, safeguards, and rules that nobody calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding
from chaos.claims.hypotheses.hypothesis import Hosts
from chaos.claims.hypotheses.judging import Hypotheses
from chaos.claims.hypotheses.measure import Expression
from chaos.claims.hypotheses.safeguards import Safeguard, Safeguards
from chaos.claims.judge.judge import Judge
from chaos.claims.observations import Observations, Observed
from chaos.protocol.counters import FaultedRequest, GatewayCounters


class RunJudge:
    """`observe` is handed each digest, `second` every whole second of them; `findings` tells where things stand.

    Expectations and hypotheses divide 1 - confidence among them."""

    def __init__(
        self,
        expected: Sequence[Expectation],
        hypotheses: Sequence[Expression] = (),
        safeguards: Sequence[Safeguard] = (),
        *,
        hosts: Hosts | None = None,
        silent: Sequence[Finding] = (),
        confidence: float = 0.99,
    ):
        self._hypotheses = Hypotheses(hypotheses, hosts)
        self._judge = Judge(expected, confidence, self._hypotheses)
        self._safeguards = Safeguards(safeguards)
        self._silent = tuple(silent)

    @property
    def observed(self) -> Observed:
        return self._judge.observed

    def observe(self, digest: Observations, seconds: float = 1.0) -> None:
        """What the load saw in so many seconds. Hypotheses and safeguards wait for whole ones (`second`)."""
        self._judge.observed.add(digest, seconds)

    def second(self, digest: Observations) -> Finding | None:
        """One second as a whole: what looks at time looks at these. The safeguard that fires, if one does."""
        self._hypotheses.observe(digest)
        return self._safeguards.observe(digest)

    def faulted(self, requests: Iterable[FaultedRequest]) -> None:
        """Requests that the gateway faulted, for following them to their users."""
        self._hypotheses.masking.add_faulted(requests)

    def sampled(self, rows: Iterable[Sequence[Any]]) -> None:
        """Outcomes of single requests."""
        self._hypotheses.masking.add_sample(rows)

    def findings(self, counters: GatewayCounters | None, *, starved: str = "") -> list[Finding]:
        """One finding per expectation and hypothesis; those of rules that no task takes come last."""
        return [*self._judge.findings(counters, starved=starved), *self._silent]
