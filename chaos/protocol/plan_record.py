"""What a journal's first line says of the plan, as typed JSON: made by `run`, read by reports."""

from __future__ import annotations

from typing import TypedDict


class OutcomeRecord(TypedDict):
    """An outcome that a rule brings about, with its probability (claims/expected_outcomes.py)."""

    share: float
    status: int | None
    fault: str
    destination: str
    delay: float
    tries: int | None
    exhausted: bool


class RuleEffect(TypedDict):
    """What one rule does in one phase: shares as fractions, None without such a fault; times in seconds."""

    phase: str
    key: str
    name: str
    where: str
    tasks: list[str] | None
    abort: float | None
    abort_status: int
    delay: float | None
    delay_seconds: float
    destinations: list[tuple[str, float]]
    mirrors: list[tuple[str, float]]
    timeout: float | None
    reply: str | None
    reply_status: int
    outcomes: list[OutcomeRecord]


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


class ShownFault(TypedDict):
    """A configured fault in the web UI's table: `kind` is abort or delay, `configured` a fraction."""

    name: str
    kind: str
    configured: float
