"""What a journal's first line says of the plan, as typed JSON: made by `run`, read by reports."""

from __future__ import annotations

from typing import TypedDict

from chaos.policies.described import PolicyRecord


class OutcomeRecord(TypedDict):
    """An outcome that a rule brings about, with its probability (claims/expected_outcomes.py)."""

    share: float
    status: int | None
    fault: str
    destination: str
    delay: float
    tries: int | None
    exhausted: bool


class FaultRecord(TypedDict):
    """A fault of a rule (chaos/faults.py): its kind, the fraction of requests that meet it, what its kind is told."""

    kind: str
    share: float
    parameters: dict[str, float | None]


class RuleEffect(TypedDict):
    """What one rule does in one phase: shares as fractions, times in seconds; no faults where they are off."""

    phase: str
    key: str
    name: str
    where: str
    tasks: list[str] | None
    faults: list[FaultRecord]
    destinations: list[tuple[str, float]]
    mirrors: list[tuple[str, float]]
    timeout: float | None
    reply: str | None
    reply_status: int
    outcomes: list[OutcomeRecord]


class PolicyEffect(PolicyRecord):
    """What one policy does in one phase to the requests of `tasks`, None for requests from others than the load; `on`:
    faults are."""

    phase: str
    tasks: list[str] | None
    on: bool


class ExpectationRecord(TypedDict):
    """One claim (claims/expectation.py)."""

    id: str
    kind: str
    title: str
    rule: str
    rule_name: str
    where: str
    phase: str
    tasks: list[str] | None
    share: float | None
    tolerance: float


class NoteRecord(TypedDict):
    """A finding of `chaos validate` on the rules."""

    severity: str
    where: str
    path: str
    message: str
    code: str


class PhaseInPlan(TypedDict):
    name: str
    faults: bool
