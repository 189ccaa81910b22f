"""Judge a run by everything that it has: expectations, hypotheses, safeguards, and rules that no task takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding
from chaos.claims.hypotheses.hypothesis import Hosts
from chaos.claims.hypotheses.judging import Hypotheses
from chaos.claims.hypotheses.measure import Expression
from chaos.claims.hypotheses.safeguards import Safeguard, Safeguards
from chaos.claims.hypotheses.unseen import Unseen, nothing
from chaos.claims.judge.judge import Judge, earliest_of
from chaos.claims.observations import Observations, Observed
from chaos.protocol.counters import FaultedRequest, GatewayCounters


class RunJudge:
    """The judge of one run: give each digest to `observe` and every whole second of them to `second`, and call
    `findings` for the verdicts so far.

    Expectations and hypotheses divide 1 - confidence. `silent` are findings about rules that no task takes;
    `tagged` is False if the gateway says nothing of what it did."""

    def __init__(
        self,
        expected: Sequence[Expectation],
        hypotheses: Sequence[Expression] = (),
        safeguards: Sequence[Safeguard] = (),
        *,
        hosts: Hosts | None = None,
        silent: Sequence[Finding] = (),
        confidence: float = 0.99,
        tagged: bool = True,
        unseen: Unseen = nothing,
    ):
        self._hypotheses = Hypotheses(hypotheses, hosts, tagged=tagged, unseen=unseen, earliest=earliest_of(expected))
        self._judge = Judge(expected, confidence, self._hypotheses)
        self._safeguards = Safeguards(safeguards)
        self._silent = tuple(silent)

    @property
    def observed(self) -> Observed:
        return self._judge.observed

    def observe(self, digest: Observations, seconds: float = 1.0) -> None:
        """Add a digest of so many seconds for expectations. Hypotheses and safeguards get whole seconds (`second`)."""
        self._judge.observed.add(digest, seconds)

    def hold(self, held: Iterable[Sequence[Any]]) -> None:
        """Note the responses that have come and are in no digest yet: [phase, task, count]. The gateway's counters of
        this moment have their calls."""
        self.observed.held = {(phase, task): int(count) for phase, task, count in held}

    def second(self, digest: Observations, *, watched: Observations | None = None) -> Finding | None:
        """Feed one whole second to hypotheses and safeguards, which may watch more than is judged (`watched`). Returns
        the finding of the safeguard that fired, or None."""
        self._hypotheses.observe(digest)
        return self._safeguards.observe(digest if watched is None else watched)

    def faulted(self, requests: Iterable[FaultedRequest]) -> None:
        """Add requests that the gateway faulted, to be followed to their users."""
        self._hypotheses.masking.add_faulted(requests)

    def sampled(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add outcomes of single requests: [id, task, status, error, fault]."""
        self._hypotheses.masking.add_sample(rows)

    def findings(self, counters: GatewayCounters | None, *, starved: str = "") -> list[Finding]:
        """Return one finding per expectation and hypothesis; those of rules that no task takes come last."""
        return [*self._judge.findings(counters, starved=starved), *self._silent]
