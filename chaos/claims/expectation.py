"""The base class of claims that follow from the rules. Each kind of claim is a file in `kinds/`.

A kind defines which claims follow from a rule (`of`) or from a phase as a whole (`of_phase`), which outcomes satisfy
the claim (`_tagged`, `_untagged`), what the gateway itself counted (`drawn`), how the evidence is judged (`judge`), and
the words for sentences (`did`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from chaos.claims.effects import Effect, PhaseEffects
from chaos.claims.evidence import MAIN, Evidence
from chaos.claims.finding import Finding, Tally
from chaos.claims.gateway_ledger import GatewayLedger, Left
from chaos.claims.observations import Outcome
from chaos.claims.policing import PolicyEffect, answered_ahead, may_be_policies, unexplained
from chaos.protocol.digest import ANY_TASK, PENDING
from chaos.units import Unit
from chaos.verify.claim import CERTAIN_TOLERANCE, DEFAULT_TOLERANCE, Claim, within
from chaos.verify.planning import Requests, requests_needed, smallest_deviation
from chaos.verify.verdict import Verdict

WITHOUT_GATEWAY = "a run without --gateway judges it"
WITH_LOG = "--access-log FILE, the log of that gateway, shows it, and a run without --gateway judges it, too"
"""The ways out for claims that a gateway that says nothing leaves unseen."""

EASY, HARD = 1.0, 4.0
"""Weights with which a run of both kinds has all its verdicts at about the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation(ABC):
    """One claim. `share` is the target proportion in [0, 1]; None if it follows from what the run measures. `tolerance`
    is how far the true one may be from it, `certain` the same for targets of 0 and 1, which mean never and always.

    `tasks` are the load tasks whose requests count (None: anyone's). `tagged` is False if the gateway sends no tags, so
    that only status, body and latency can be judged. `unseen` is the reason why this run cannot observe the claim at
    all, which is then not judged; empty if it can. `policies` are those of its phase."""

    id: str = ""
    title: str = ""
    rule: str = ""
    rule_name: str = ""
    where: str = ""
    phase: str = ""
    tasks: tuple[str, ...] | None = None
    share: float | None = None
    tolerance: float = DEFAULT_TOLERANCE
    certain: float = CERTAIN_TOLERANCE
    tagged: bool = True
    unseen: str = ""
    policies: tuple[PolicyEffect, ...] = ()

    kind: ClassVar[str]
    """The kind's name in journals and `result.json`."""
    unit: ClassVar[Unit] = "share"
    measured_target: ClassVar[bool] = False
    """Whether the target follows from what the run measures."""
    fault: ClassVar[str] = ""
    """The fault whose draws have to be independent of each other, a `FaultKind`."""
    of_whole_phase: ClassVar[bool] = False
    """Whether it is about a phase, whatever its rules do: such claims alone verify no rule."""
    complementary: ClassVar[bool] = False
    """Whether two claims of this kind are equivalent, because each is wrong exactly if the other is."""

    logged: ClassVar[bool] = False
    """Whether the access log of a gateway shows what no response of it does."""

    @property
    def draw(self) -> str:
        """The name of what is drawn for each request (protocol/parts.py), independently of all others; empty for claims
        about what does not depend on a draw."""
        return self.fault

    @property
    def other_fault(self) -> tuple[str, float] | None:
        """Another fault of the rule and its share, which has to be drawn independently of this one."""
        return None

    @classmethod
    def of(cls, effect: Effect, faults: bool, tolerance: float) -> Iterator[Self]:
        """Yield the claims of this kind that follow from a rule, in a phase with `faults` or without."""
        return iter(())

    @classmethod
    def of_phase(cls, phase: PhaseEffects) -> Iterator[Self]:
        """Yield the claims of this kind that follow from a phase as a whole."""
        return iter(())

    @classmethod
    def of_policy(cls, effect: PolicyEffect, phase: PhaseEffects, tolerance: float) -> Iterator[Self]:
        """Yield the claims of this kind that follow from a policy."""
        return iter(())

    @classmethod
    def named(cls, effect: Effect, title: str, detail: str = "", **fields: Any) -> Self:
        """Return a claim about this rule, with an id made of the rule's key, the kind and `detail`. Claims about
        requests without a rule have their tasks in the id instead of a key."""
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

    def claim(self, share: float) -> Claim:
        """Return the claim that the true share is this one, within the tolerance."""
        return within(share, self.tolerance, self.certain)

    @property
    def weight(self) -> float:
        """The claim's weight when alpha is divided. Claims of 0 % or 100 % need few requests, as one counter-example
        refutes them, so they get less."""
        return EASY if self.share in (0.0, 1.0) else HARD

    @property
    def task(self) -> str:
        """The name of its only task; empty if there are several or any."""
        return self.tasks[0] if self.tasks is not None and len(self.tasks) == 1 else ""

    @property
    def hidden(self) -> str:
        """Why status, body and latency alone cannot show it, to clients of a gateway that says nothing; empty when they
        can."""
        return "a response does not show it"

    @property
    def earliest(self) -> float:
        """The seconds that a response takes at least if it satisfies the claim, however quick everything is; 0.0 where
        time does not tell. One that took less is tagged with what did not happen."""
        return 0.0

    def concerns(self, outcome: Outcome) -> bool:
        """Return whether an outcome is a response to one of its requests."""
        if outcome.status == 0 and not (outcome.policy and outcome.route):
            return False  # of a response that a policy cut short the head has come, with its tags
        return self._asked(outcome) and not answered_ahead(self.policies, outcome)

    def loses(self, outcome: Outcome) -> bool:
        """Return whether an outcome is, or may be, one of its requests that had no response, and so no tag."""
        asked = outcome.status == 0 and (self._asked(outcome) or self._perhaps_asked(outcome))
        return asked and not (outcome.policy and outcome.route) and not may_be_policies(self.policies, outcome)

    def unexplained(self, evidence: Evidence) -> int:
        """Return how many of its requests had no response of which a policy may be the reason, and the gateway does not
        say that it was."""
        if not self.policies:
            return 0
        return unexplained(self.policies, self.phase, evidence.observed, evidence.ledger, self._asked)

    def _perhaps_asked(self, outcome: Outcome) -> bool:
        return outcome.phase == self.phase and outcome.error == PENDING and outcome.task == ANY_TASK

    def _asked(self, outcome: Outcome) -> bool:
        return outcome.phase == self.phase and (self.tasks is None or outcome.task in self.tasks)

    def classify(self, outcome: Outcome) -> bool | None:
        """Return whether an outcome satisfies the claim; None if the claim does not apply to it."""
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
        """Return k of n as the gateway counted them; None if it does not count them."""
        return None

    def left(self, ledger: GatewayLedger) -> Left | None:
        """Return what the gateway had drawn for clients that left before their response; None if it does not count
        that."""
        return None

    @abstractmethod
    def judge(self, evidence: Evidence) -> Finding:
        """Return the finding on the evidence so far."""

    def not_judged(self, evidence: Evidence, reason: str) -> Finding:
        """Return the finding on a claim that this run cannot see, which says why."""
        return replace(
            self.blank(evidence),
            tolerance=None if self.share is None else self.tolerance,
            verdict=Verdict.NOT_JUDGED,
            cause="unseen",
            ledgers=("configured",),
            sentence=f"Not judged: {reason}.",
        )

    @abstractmethod
    def did(self) -> str:
        """Return what happened to the requests that satisfy the claim, for sentences: `were aborted with 400`."""

    def settled(self, finding: Finding, before: str) -> str:
        """Return the sentence for a claim that was verified earlier but whose latest counts alone are inconclusive.
        `before` is the sentence of that time."""
        return before

    @property
    def groups(self) -> tuple[tuple[str, ...] | None, ...]:
        """Return the tasks of each group of requests that has to be judged on its own; the scarcest takes longest."""
        return (self.tasks,)

    def portion(self, effect: Effect) -> float:
        """Return the part of the rule's requests that the claim is about, in [0, 1]."""
        return 1.0

    def requests_needed(self, alpha: float) -> Requests | None:
        """Return how many of its requests a verdict needs; None if that depends on the upstream."""
        return None if self.share is None else requests_needed(self.claim(self.share), alpha * MAIN)

    def smallest_deviation(self, requests: int, alpha: float) -> float | None:
        """Return the smallest deviation, as a share, that so many requests would reveal; None if they reveal none."""
        if self.share is None:
            return None
        return smallest_deviation(self.claim(self.share), max(1, requests), alpha * MAIN)

    def blank(self, evidence: Evidence) -> Finding:
        """Return a finding with the claim's own fields and the gateway's counts, and no verdict yet."""
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
