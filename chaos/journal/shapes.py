"""The allowed content of a journal's records: types, ranges and sizes, checked once where a journal is read.

A journal may be damaged, written by hand or hostile; the code behind this file trusts its values. Unknown keys are
allowed, so that an older `chaos` reads what a newer one wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from math import isfinite
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, Strict, TypeAdapter, ValidationError, model_validator

from chaos.protocol.counters import GatewayCounters
from chaos.statuses import MOST

MOST_DIGITS = 18
"""Digits of a whole number: ours have no more, and Python parses long ones in quadratic time."""

TEN_YEARS = 3.2e8
Count = Annotated[int, Strict(), Field(ge=0)]
Whole = Annotated[int, Strict()]
Seconds = Annotated[float, Field(ge=0, le=TEN_YEARS)]
Number = Annotated[float, Field(ge=-1e15, le=1e15)]
Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]
Packed = Annotated[str, Strict(), Field(max_length=200_000)]
"""An encoded histogram; the largest of ours has 90 000 characters."""
Excerpt = Annotated[str, Strict(), Field(max_length=20_000)]
"""300 bytes in which each may be escaped, and names may stand for values."""
Status = Annotated[int, Strict(), Field(ge=0, le=MOST)]
Level = Literal["info", "warning", "error"]


class Shape(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)


class KeyShape(Shape):
    """What every record of an outcome has (chaos/protocol/digest.py::KeyRecord)."""

    phase: Text
    task: Text
    route: Text
    destination: Text
    status: Status
    fault: Text
    attempts: Annotated[int, Strict(), Field(ge=0, le=10**6)]


class EntryShape(KeyShape):
    """An outcome of a digest."""

    error: Text = ""
    check: Text = ""
    policy: Text = ""
    count: Count
    latency: Packed
    due: Packed | None = None


class FaultShape(Shape):
    """A fault of a rule in the plan."""

    kind: Text
    share: Annotated[float, Field(ge=0, le=1)]
    parameters: dict[str, Number | None]


class OutcomeShape(Shape):
    """An outcome of a rule in the plan."""

    share: Number
    status: Status | None
    fault: Text
    delay: Seconds


class RuleShape(Shape):
    """A rule's effect in the plan. `abort` and `delay` with their numbers are an older journal's faults."""

    phase: Text = ""
    name: Text = ""
    key: Text = ""
    faults: list[FaultShape] | None = None
    abort: Number | None = None
    abort_status: Status | None = None
    delay: Number | None = None
    delay_seconds: Number | None = None
    destinations: list[tuple[Text, Number]] | None = None
    outcomes: list[OutcomeShape] | None = None


class PolicyEffectShape(Shape):
    """A policy's effect in the plan."""

    phase: Text = ""
    key: Text = ""
    name: Text = ""
    where: Text = ""
    kind: Text = ""
    sentence: Text = ""
    limits: Text = ""
    share: Number = 0.0
    scope: Text = "downstream"
    tasks: list[Text] | None = None
    errors: list[Text] = []
    ends: Flag = False
    on: Flag = True


class NoteShape(Shape):
    severity: Text = ""
    where: Text = ""
    path: Text = ""
    message: Text = ""


class PhaseShape(Shape):
    name: Text = ""
    faults: Flag = True


class TallyShape(Shape):
    k: Count
    n: Count


class FindingShape(Shape):
    id: Text
    kind: Text
    title: Text
    verdict: Text
    sentence: Text = ""
    rule: Text = ""
    rule_name: Text = ""
    where: Text = ""
    phase: Text = ""
    task: Text = ""
    unit: Literal["share", "seconds", "ratio", "count"] = "share"
    sense: Literal["within", "below", "above"] = "within"
    configured: Number | None = None
    tolerance: Number | None = None
    drawn: TallyShape | None = None
    observed: TallyShape | None = None
    estimate: Number | None = None
    interval: tuple[Number | None, Number | None] | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.99
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.01
    ledgers: list[Text] | tuple[Text, ...] = ()
    needed: Number | None = None
    cause: Text = ""


class RuleCounters(Shape):
    """The gateway's counters of a rule (chaos/protocol/counters.py). What an older or cut journal does not say is 0 or
    empty."""

    model_config = ConfigDict(extra="ignore")

    requests: Count = 0
    faults: dict[str, Count] = {}
    forwarded: Count = 0
    answered: Count = 0
    mirrored: Count = 0
    upstream_requests: Count = 0
    upstream_failures: Count = 0
    delay_seconds: Number = 0.0
    destinations: dict[str, Count] = {}
    mirrors: dict[str, Count] = {}
    statuses: dict[str, Count] = {}
    upstream_statuses: dict[str, Count] = {}
    tries: dict[str, Count] = {}
    left: dict[str, Count] = {}
    left_to: dict[str, Count] = {}
    failures: dict[str, Count] = {}
    upstream_seconds: Number = 0.0
    upstream_times: dict[str, Count] = {}
    undrawn: dict[str, Count] = {}
    unlogged: Count = 0

    @model_validator(mode="before")
    @classmethod
    def _by_tag(cls, value: Any) -> Any:
        """Translate the counts of a journal from before faults were counted by tag: those delayed, those aborted, and
        those of both."""
        if not isinstance(value, dict) or "faults" in value:
            return value
        delayed, aborted, both = (value.get(name, 0) for name in ("delay", "abort", "delay_abort"))
        if not all(type(count) is int for count in (delayed, aborted, both)):
            raise ValueError("delay, abort and delay_abort should be whole numbers")
        faults = {"delay": delayed - both, "abort": aborted - both, "delay,abort": both}
        return {**value, "faults": {tag: count for tag, count in faults.items() if count}}


class LogShape(Shape):
    """What an access log told (chaos/protocol/counters.py::LogInfo)."""

    model_config = ConfigDict(extra="ignore")

    lines: Count = 0
    found: Count = 0
    attempts: Flag = True
    foreign: Text = ""
    final: Flag = True
    trouble: Text = ""


class PolicyShape(Shape):
    model_config = ConfigDict(extra="ignore")

    targeted: Count = 0
    met: Count = 0
    full: Count = 0
    left: Count = 0
    left_met: Count = 0
    preceded: Count = 0


class CountersShape(Shape):
    model_config = ConfigDict(extra="ignore")

    generation: Count = 0
    seconds: Seconds = 0.0
    workers: Count = 0
    connections: Count = 0
    cpu_seconds: Number = 0.0
    phases: dict[str, dict[str, RuleCounters]] = {}
    unmatched: Count = 0
    by_hand: list[Text] = []
    log: LogShape | None = None
    policies: dict[str, dict[str, PolicyShape]] = {}


class FaultedShape(Shape):
    id: Text = ""
    rule: Text = ""
    fault: Text = ""
    phase: Text = ""
    method: Text = ""
    target: Text = ""
    authority: Text = ""


class LoadShape(Shape):
    """The load process's plan, as far as the report reads it."""

    processes: Count | None = None
    client: Text | None = None
    users: Count | None = None
    arrival_rate: Number | None = None
    duration: Number | None = None
    warmup: Number | None = None
    requests: Count | None = None
    locustfile: Text | None = None


class PlanShape(Shape):
    at: Seconds = 0.0
    run: Text = ""
    name: Text
    file: Text
    description: Text = ""
    documents: dict[str, Text] = {}
    seed: Whole
    command: list[Text] = []
    started: Text
    confidence: Annotated[float, Field(gt=0, lt=1)]
    tolerance: Annotated[float, Field(gt=0, lt=1)]
    load: LoadShape = LoadShape()
    environment: dict[str, Any] = {}
    rules: list[RuleShape] = []
    policies: list[PolicyEffectShape] = []
    phases: list[PhaseShape] = []
    expectations: list[dict[str, Any]] = []
    notes: list[NoteShape] = []


class PhaseRecord(Shape):
    at: Seconds = 0.0
    name: Text
    event: Literal["begin", "end"]
    faults: Flag = True


class PartsShape(Shape):
    """Counts by user and in the order of sending."""

    users: list[tuple[Text, Text, Text, Text, list[tuple[Count, Count]]]] = []
    blocks: list[tuple[Text, Text, Text, list[tuple[Count, Count, Count]]]] = []
    turns: list[tuple[Literal["connection", "sent"], Text, Text, Text, tuple[Count, Count, Count, Count]]] = []
    levels: list[tuple[Literal["connection", "sent"], Text, Text, Text, list[tuple[Count, Count, Count]]]] = []


class DigestRecord(Shape):
    at: Seconds = 0.0
    second: Seconds
    seconds: Seconds = 1.0
    lag: Seconds = 0.0
    users: Count = 0
    cpu: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    entries: list[EntryShape] = []
    pairs: list[tuple[Text, Text, Text, Text, tuple[Count, Count, Count, Count]]] = []
    parts: PartsShape = PartsShape()
    pending: list[tuple[Text, Text, Whole]] = []
    errors: dict[str, Count] = {}
    late: Count = 0


class CountersRecord(Shape):
    at: Seconds = 0.0
    counters: CountersShape


class FaultedRecord(Shape):
    at: Seconds = 0.0
    requests: list[FaultedShape] = []


class SampleRecord(Shape):
    at: Seconds = 0.0
    second: Seconds
    share: Annotated[float, Field(ge=0, le=1)]
    requests: list[tuple[Text, Text, Status, Text, Text]] = []


class ExemplarShape(KeyShape):
    id: Text
    error: Text
    check: Text
    policy: Text = ""
    second: Seconds
    latency: Seconds
    body: Excerpt
    reason: Excerpt
    request: Excerpt


class ExemplarsRecord(Shape):
    at: Seconds = 0.0
    requests: list[ExemplarShape] = []


class WorkerShape(Shape):
    worker: Count
    host: Text
    state: Text
    requests: Count
    unknown: Count
    late: Count
    behind: Seconds
    paused: Seconds
    silent: Seconds
    cpu: Seconds


class WorkersRecord(Shape):
    at: Seconds = 0.0
    workers: list[WorkerShape] = []


class FindingsRecord(Shape):
    at: Seconds = 0.0
    findings: list[FindingShape] = []


class EventRecord(Shape):
    at: Seconds = 0.0
    level: Level
    text: Text


class EndRecord(Shape):
    at: Seconds = 0.0
    outcome: Text
    exit_code: Annotated[int, Strict(), Field(ge=0, le=255)]
    reasons: list[Text] = []


SHAPES: dict[str, type[Shape]] = {
    "plan": PlanShape,
    "phase": PhaseRecord,
    "digest": DigestRecord,
    "counters": CountersRecord,
    "faulted": FaultedRecord,
    "sample": SampleRecord,
    "exemplars": ExemplarsRecord,
    "workers": WorkersRecord,
    "findings": FindingsRecord,
    "event": EventRecord,
    "end": EndRecord,
}


@cache
def _adapter(kind: str) -> TypeAdapter[Shape]:
    return TypeAdapter(SHAPES[kind])


def check(kind: str, value: dict[str, Any]) -> None:
    """Raise ValueError, naming the field, for a record of this kind with values that no run writes."""
    try:
        _adapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])[:120]
        raise ValueError(f"a damaged `{kind}` record: {place}: {first['msg']}") from None


def with_faults(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a plan's rule with its faults as one list, which older journals have as fields of their own."""
    if rule.get("faults") is not None:
        return rule
    told = {"delay": {"seconds": rule.get("delay_seconds")}, "abort": {"status": rule.get("abort_status")}}
    rest = {name: value for name, value in rule.items() if name not in _OLDER}
    found = [(kind, rule.get(kind), parameters) for kind, parameters in told.items()]
    faults = [{"kind": kind, "share": share, "parameters": said} for kind, share, said in found if share is not None]
    return rest | {"faults": faults}


_OLDER = ("abort", "abort_status", "delay", "delay_seconds")


def complete_counters(counters: Mapping[str, Any]) -> GatewayCounters:
    """Return the counters of a journal's record as `GET /counters` gives them today: nothing is missing, faults are
    counted by tag. Raises ValueError when they are damaged."""
    return cast(GatewayCounters, CountersShape.model_validate(counters).model_dump())


def parse(line: str) -> Any:
    """Return a line's JSON.

    Raises json.JSONDecodeError for half a line, ValueError for numbers that no journal has (NaN, or hundreds of digits)
    and for a line that is nested too deeply."""
    try:
        return json.loads(line, parse_constant=_no_number, parse_int=_whole, parse_float=_finite)
    except RecursionError:
        raise ValueError("damaged: nested too deeply") from None


def _no_number(text: str) -> float:
    raise ValueError(f"damaged: {text} is not a JSON number")


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS + 1:
        raise ValueError(f"damaged: a number of {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"damaged: {text[:40]} is too large for a number")
    return value
