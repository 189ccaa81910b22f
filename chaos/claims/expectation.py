"""One claim that can be tested, and everything that a run asks of it. Each kind of claim is a file in `kinds/`.

A kind says which claims follow from a rule (`of`), which outcomes have what is claimed (`_tagged`, `_untagged`), what
the gateway's own counts say (`drawn`), how the evidence is judged (`judge`), and the words for it (`did`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from chaos.claims.effects import Effect
from chaos.claims.evidence import MAIN, Evidence
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger, Left
from chaos.claims.observations import Outcome
from chaos.units import Unit
from chaos.verify.claim import DEFAULT_TOLERANCE, within
from chaos.verify.planning import Requests, requests_needed, smallest_deviation
from chaos.verify.verdict import Verdict

EASY, HARD = 1.0, 4.0
"""Weights with which a run of both kinds has all its verdicts at about the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation(ABC):
    """One claim. `share` is the target proportion in [0, 1]; None where it follows from what the run measures.

    `tasks` are the load tasks whose requests count (None: anyone's). `tagged` False: the gateway does not say what it
    did, so that only what shows in a response can be told. `unseen` says why this run cannot see it at all, so that it
    is not judged; empty when it can."""

    id: str = ""
    title: str = ""
    rule: str = ""
    rule_name: str = ""
    where: str = ""
    phase: str = ""
    tasks: tuple[str, ...] | None = None
    share: float | None = None
    tolerance: float = DEFAULT_TOLERANCE
    tagged: bool = True
    unseen: str = ""

    kind: ClassVar[str]
    """As journals and `result.json` write it."""
    unit: ClassVar[Unit] = "share"
    measured_target: ClassVar[bool] = False
    """Whether the target follows from what the run measures."""
    fault: ClassVar[str] = ""
    """The fault whose draws have to be independent of each other, of `digest.FAULT_KINDS`."""
    complementary: ClassVar[bool] = False
    """Whether two of them are one claim told twice: either is wrong exactly when the other is."""

    @property
    def other_fault(self) -> tuple[str, float] | None:
        """Another fault of the rule and its share, which has to be drawn independently of this one."""
        return None

    @classmethod
    @abstractmethod
    def of(cls, effect: Effect, faults: bool, tolerance: float) -> Iterator[Self]:
        """Yield the claims of this kind that follow from a rule, in a phase with `faults` or without."""

    @classmethod
    def named(cls, effect: Effect, title: str, detail: str = "", **fields: Any) -> Self:
        """Return a claim about this rule. Without a rule only the tasks tell claims apart."""
        tasks = "" if effect.key else ",".join(effect.tasks or ())
        name = "#".join(part for part in (effect.key or "none", tasks, cls.kind, detail) if part)
        return cls(
            id=name,
            title=title,
            rule=effect.key,
            rule_name=effect.name,
            where=effect.where,
            tasks=effect.tasks,
            **fields,
        )

    @property
    def weight(self) -> float:
        """Its part in dividing alpha. Claims of 0 % or 100 %, which one counter-example refutes, need little."""
        return EASY if self.share in (0.0, 1.0) else HARD

    @property
    def task(self) -> str:
        """The task it is about; empty when there are several."""
        return self.tasks[0] if self.tasks is not None and len(self.tasks) == 1 else ""

    @property
    def visible(self) -> bool:
        """Whether status, body and latency alone can show it, to clients of a gateway that says nothing."""
        return False

    def concerns(self, outcome: Outcome) -> bool:
        """Return whether an outcome is a response to one of its requests."""
        return outcome.status != 0 and self._asked(outcome)

    def loses(self, outcome: Outcome) -> bool:
        """Return whether an outcome is one of its requests that had no response, so that no tag tells what it met."""
        return outcome.status == 0 and self._asked(outcome)

    def _asked(self, outcome: Outcome) -> bool:
        return outcome.phase == self.phase and (self.tasks is None or outcome.task in self.tasks)

    def classify(self, outcome: Outcome) -> bool | None:
        """Return whether an outcome has what is claimed; None when the claim is not about it."""
        if not self.concerns(outcome):
            return None
        return self._tagged(outcome) if self.tagged else self._untagged(outcome)

    @abstractmethod
    def _tagged(self, outcome: Outcome) -> bool | None:
        """Classify by the gateway's tags."""

    def _untagged(self, outcome: Outcome) -> bool | None:
        """Classify by status and body alone. The load marks responses with the body of Envoy's fault filter as
        aborts."""
        return None

    def drawn(self, ledger: GatewayLedger) -> Tally | None:
        """Return k of n as the gateway counted them; None for what it does not count."""
        return None

    def left(self, ledger: GatewayLedger) -> Left | None:
        """Return what the gateway had drawn for clients that left before their response; None where it does not
        say."""
        return None

    @abstractmethod
    def judge(self, evidence: Evidence) -> Finding:
        """Return what the evidence says so far."""

    @abstractmethod
    def did(self) -> str:
        """Say what happened to the requests that have what is claimed, as in `were aborted with 400`."""

    def settled(self, finding: Finding, before: str) -> str:
        """Return the sentence for a claim that was verified before and that its latest counts would leave open."""
        return before

    def portion(self, effect: Effect) -> float:
        """Return the part of the rule's requests that the claim is about, in [0, 1]."""
        return 1.0

    def requests_needed(self, alpha: float) -> Requests | None:
        """Return how many of its requests a verdict takes; None where that depends on the upstream."""
        return None if self.share is None else requests_needed(within(self.share, self.tolerance), alpha * MAIN)

    def smallest_deviation(self, requests: int, alpha: float) -> float | None:
        """Return the smallest deviation, as a share, that so many requests would show; None if they show none."""
        if self.share is None:
            return None
        return smallest_deviation(within(self.share, self.tolerance), max(1, requests), alpha * MAIN)

    def blank(self, evidence: Evidence) -> Finding:
        """Return the finding as it is before anything is known but the gateway's counts."""
        return Finding(
            id=self.id,
            kind=self.kind,
            title=self.title,
            verdict=Verdict.NO_TRAFFIC,
            rule=self.rule,
            rule_name=self.rule_name,
            where=self.where,
            phase=self.phase,
            task=self.task,
            unit=self.unit,
            configured=self.share,
            drawn=self.drawn(evidence.ledger),
            confidence=evidence.confidence,
            alpha=evidence.alpha,
        )
