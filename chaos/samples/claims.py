"""Claims about samples, as expectations that are judged like those of rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from chaos.claims.evidence import Evidence
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding
from chaos.claims.hypotheses.measure import Measure
from chaos.claims.hypotheses.observed_values import done, has
from chaos.claims.kinds.abort import AbortClaim
from chaos.claims.kinds.delay import DelayClaim
from chaos.claims.observations import Outcome
from chaos.claims.shares.judging import judge_share
from chaos.claims.shares.sentences import settled
from chaos.samples.claim_text import ShareText


class _OfSamples(Expectation):
    """Of one phase, or without one of all."""

    __slots__ = ()

    def _asked(self, outcome: Outcome) -> bool:
        return self.phase in ("", outcome.phase) and (self.tasks is None or outcome.task in self.tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledAbort(_OfSamples, AbortClaim):
    """The claim *abort* of samples. `status` 0 stands for any."""

    def _tagged(self, outcome: Outcome) -> bool | None:
        return "abort" in outcome.fault and self.status in (0, outcome.status)

    def did(self) -> str:
        return f"were aborted with {self.status}" if self.status else "were aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledDelay(_OfSamples, DelayClaim):
    """The claim *delay* of samples. `seconds` 0.0 stands for any.

    A request that is marked as delayed and took less than half of the delay was not. Not less than nearly all of it, as
    in a run: Envoy times its delays from the beginning of an event loop's turn, and on a busy machine a fifth of those
    of 20 ms took 15 to 18 ms by its own log."""

    @property
    def earliest(self) -> float:
        return self.seconds / 2 if self.tagged and self.share else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledShare(_OfSamples):
    """The claim that a share of the requests are what a measure counts."""

    kind: ClassVar[str] = "share"

    measure: Measure

    def concerns(self, outcome: Outcome) -> bool:
        return self._asked(outcome)  # a request without a response is one that failed

    def loses(self, outcome: Outcome) -> bool:
        return False

    def _tagged(self, outcome: Outcome) -> bool | None:
        return has(self.measure, outcome)

    def _untagged(self, outcome: Outcome) -> bool | None:
        return has(self.measure, outcome)

    @property
    def hidden(self) -> str:
        return ""

    def judge(self, evidence: Evidence) -> Finding:
        return judge_share(self, evidence)

    def did(self) -> str:
        return done(self.measure)

    def settled(self, finding: Finding, before: str) -> str:
        return settled(finding)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedShare(_OfSamples):
    """The claim that a share of counted trials succeeded. `words` are the user's own for a success."""

    kind: ClassVar[str] = "share"

    words: str

    def _tagged(self, outcome: Outcome) -> bool | None:
        return outcome.status == HIT

    @property
    def hidden(self) -> str:
        return ""

    def judge(self, evidence: Evidence) -> Finding:
        return judge_share(self, evidence)

    def did(self) -> str:
        return f"count as {self.words!r}"

    def settled(self, finding: Finding, before: str) -> str:
        return settled(finding)


HIT, MISS = 1, 2
"""Statuses of counted trials, for which there are none."""


def expectation_of(claim: ShareText, number: int, tolerance: float) -> Expectation:
    """Return the expectation of a claim about samples; `tolerance` is a fraction, for claims without their own."""
    measure = claim.measure
    assert measure is not None
    said = {
        "id": f"claim#{number}#{claim.text}",
        "title": claim.what,
        "phase": measure.phase or "",
        "tasks": None if measure.task is None else (measure.task,),
        "share": claim.share,
        "tolerance": tolerance if claim.tolerance is None else claim.tolerance,
    }
    match claim.kind:
        case "abort":
            return SampledAbort(**said, status=claim.status)  # type: ignore[arg-type]
        case "delay":
            return SampledDelay(**said, seconds=claim.seconds)  # type: ignore[arg-type]
        case _:
            return SampledShare(**said, measure=measure)  # type: ignore[arg-type]


def tasks_of(expectations: Sequence[Expectation]) -> set[str]:
    """Return the tasks that claims name."""
    return {task for each in expectations for task in each.tasks or ()}
