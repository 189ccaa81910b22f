"""The journal: one JSON object per line, with a type for each kind of record. Works on text and values; the files
belong to the edge.

A journal is readable up to its last whole line, whatever happened: a last line that was cut short by a crash is
dropped, and a damaged line before the end is an error with its number. Unknown kinds of record and unknown fields are
skipped, so that an older `chaos` reads what a newer one wrote as long as the plan's `schema` is the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Literal, get_args

from chaos.errors import InvalidInput
from chaos.journal.shapes import check, parse, with_faults
from chaos.protocol.counters import FaultedRequest, GatewayCounters
from chaos.protocol.digest import EntryRecord
from chaos.protocol.exemplars import ExemplarRecord
from chaos.protocol.plan_record import ExpectationRecord, NoteRecord, PhaseInPlan, PolicyEffect, RuleEffect
from chaos.protocol.worker_messages import WorkerRecord

SCHEMA = 1
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The first line: everything needed to repeat the run and to judge it.

    `documents` maps file names to their text; `started` is ISO 8601 with its offset; `confidence` and `tolerance` are
    fractions; `load` is the load process's plan; `notes` are lint problems as `{severity, where, path, message}`;
    `engine` is the proxy that carried out the rules, like `Envoy 1.40.0`; empty for the gateway of ours.
    `rules`, `policies` and `expectations` are what `chaos plan` shows; `phases` are `{name, faults}` in order."""

    type: ClassVar[str] = "plan"
    at: float = 0.0
    schema: int = SCHEMA
    run: str = ""
    name: str
    file: str
    description: str = ""
    documents: Mapping[str, str] = field(default_factory=dict)
    seed: int
    command: tuple[str, ...] = ()
    engine: str = ""
    started: str
    confidence: float
    tolerance: float
    load: Json = field(default_factory=dict)
    environment: Json = field(default_factory=dict)
    rules: tuple[RuleEffect, ...] = ()
    policies: tuple[PolicyEffect, ...] = ()
    phases: tuple[PhaseInPlan, ...] = ()
    expectations: tuple[ExpectationRecord, ...] = ()
    notes: tuple[NoteRecord, ...] = ()

    @property
    def of_samples(self) -> bool:
        """Whether it was judged from counts or samples (`chaos judge`), so that there was no load or gateway of
        ours."""
        return tuple(self.command[1:2]) == ("judge",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A phase begins or ends."""

    type: ClassVar[str] = "phase"
    at: float = 0.0
    name: str
    event: Literal["begin", "end"]
    faults: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestLine:
    """What became of the requests that users sent in one stretch, `seconds` long, from `second` after the load began;
    it was told `lag` seconds after its end, because a response takes its time.

    `entries`, `pairs`, `parts` and `pending` are a Digest's; `errors` are requests without a response by kind; `cpu` is
    the share of a core that the busiest load process used; `late` counts requests of an open model for which no user
    was idle when they were due."""

    type: ClassVar[str] = "digest"
    at: float = 0.0
    second: float
    seconds: float = 1.0
    lag: float = 0.0
    users: int = 0
    cpu: float = 0.0
    entries: tuple[EntryRecord, ...] = ()
    pairs: tuple[list[Any], ...] = ()
    parts: Mapping[str, Any] = field(default_factory=dict)
    pending: tuple[list[Any], ...] = ()
    errors: Mapping[str, int] = field(default_factory=dict)
    late: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """The gateway's `GET /counters`, unchanged."""

    type: ClassVar[str] = "counters"
    at: float = 0.0
    counters: GatewayCounters


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulted:
    """A batch of the gateway's `GET /faulted`, unchanged."""

    type: ClassVar[str] = "faulted"
    at: float = 0.0
    requests: tuple[FaultedRequest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Outcomes of the requests whose id is below `share` (chaos/journal/identity.py): `[id, task, status, error,
    fault]` each.

    The choice depends on the id alone, so the gateway's side samples the same requests."""

    type: ClassVar[str] = "sample"
    at: float = 0.0
    second: float
    share: float
    requests: tuple[list[Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplars:
    """Single requests that stand for others (chaos/protocol/exemplars.py): those that were kept and are in no earlier
    record. A later one may take the place of an earlier one, which is told when all are added up."""

    type: ClassVar[str] = "exemplars"
    at: float = 0.0
    requests: tuple[ExemplarRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadWorkers:
    """What each load worker has done so far (chaos/protocol/worker_messages.py); the last such line has it of the whole
    run. A load of one process has none."""

    type: ClassVar[str] = "workers"
    at: float = 0.0
    workers: tuple[WorkerRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The verdicts so far; the last such line has those of the run."""

    type: ClassVar[str] = "findings"
    at: float = 0.0
    findings: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, for people: a child died, a safeguard fired."""

    type: ClassVar[str] = "event"
    at: float = 0.0
    level: Literal["info", "warning", "error"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How the run ended."""

    type: ClassVar[str] = "end"
    at: float = 0.0
    outcome: str
    exit_code: int
    reasons: tuple[str, ...] = ()


Record = Plan | Phase | DigestLine | Counters | Faulted | Sample | Exemplars | LoadWorkers | Findings | Event | End
KINDS: dict[str, type[Record]] = {kind.type: kind for kind in get_args(Record)}


def encode(record: Record) -> str:
    """Return one line of ASCII without its line end: JSON that any tool reads, no NaN, no character that ends a
    line."""
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    return json.dumps({"type": record.type, **values}, allow_nan=False, separators=(",", ":"))


def of_json(value: Any) -> Record | None:
    """Return the record of a parsed line; None for a kind that this version does not know.

    Raises ValueError when it is not a record: no object, no type, a missing field, or a plan of another schema."""
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise ValueError("not a record: expected a JSON object with a `type`")
    kind = KINDS.get(value["type"])
    if kind is None:
        return None
    if kind is Plan and value.get("schema") != SCHEMA:
        raise ValueError(f"written with journal schema {value.get('schema')}; this version reads schema {SCHEMA}")
    known = fields(kind)
    missing = [f.name for f in known if f.name not in value and f.default is MISSING and f.default_factory is MISSING]
    if missing:
        raise ValueError(f"a damaged `{kind.type}` record: without {', '.join(missing)}")
    check(kind.type, value)
    if kind is Plan:
        value = value | {"rules": [with_faults(rule) for rule in value.get("rules", ())]}
    return kind(**{f.name: _frozen(value[f.name], str(f.type)) for f in known if f.name in value})


def _frozen(value: Any, annotation: str) -> Any:
    """Turn a list into a tuple for fields that are tuples; JSON has only lists."""
    return tuple(value) if annotation.startswith("tuple[") and isinstance(value, list) else value


def decode_lines(lines: Iterable[str], *, file: str = "journal.jsonl") -> Iterator[Record]:
    """Yield the records of a journal in order. A last line that was cut short is skipped.

    Raises InvalidInput, with the line's number, for a damaged line that others follow."""
    torn: tuple[int, str] | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip("\x00 \t\r\n"):  # a crash of the machine can leave zeros at the end of a file
            continue
        if torn is not None:
            raise InvalidInput.at(file, torn[1], line=torn[0])
        try:
            record = of_json(parse(line))
        except json.JSONDecodeError as error:
            torn = (number, f"damaged: {error.msg} at column {error.colno}")
        except ValueError as error:
            raise InvalidInput.at(file, str(error), line=number) from None
        else:
            if record is not None:
                yield record
