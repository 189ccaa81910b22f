"""The result of a run, built from its journal alone: the source of the report, result.json, JUnit, Markdown and the
terminal.

A journal that stops in the middle gives a result too: what was recorded, with the outcome `unfinished`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.claims.checks import failed_checks
from chaos.claims.finding import Finding
from chaos.claims.hypotheses.masking import ID_LENGTH
from chaos.errors import ExitCode, InvalidInput
from chaos.journal.records import (
    SCHEMA,
    Counters,
    DigestLine,
    End,
    Event,
    Exemplars,
    Faulted,
    Findings,
    LoadWorkers,
    Phase,
    Plan,
    Record,
    Sample,
)
from chaos.journal.shapes import complete_counters
from chaos.journal.timeline import Stretch, Timeline
from chaos.protocol.counters import GatewayCounters
from chaos.protocol.digest import WARM_UP, Digest, Key, Tally
from chaos.protocol.exemplars import ExemplarRecord
from chaos.protocol.exemplars import Exemplars as Kept
from chaos.protocol.worker_messages import WorkerRecord

UNFINISHED = "unfinished"
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True, slots=True)
class Delivered:
    """The load that was sent.

    `seconds` from the first request to the last; `cpu` and `peak_cpu` are the share of a core that the busiest load
    process used, at the median and at most; `errors` are requests without a response, by kind; `checks` those that were
    not what their task expects, by task and part, None if no task expects anything."""

    requests: int
    seconds: float
    errors: dict[str, int]
    peak_users: int
    cpu: float
    peak_cpu: float
    late: int
    checks: dict[str, dict[str, int]] | None = None

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """One phase as it ran, in seconds since the run began. `end` is None when the journal stops inside it."""

    name: str
    faults: bool
    begin: float
    end: float | None
    requests: int


@dataclass(frozen=True, slots=True)
class Point:
    """A finding at one moment of the run."""

    at: float
    n: int
    estimate: float | None
    interval: tuple[float | None, float | None] | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Result:
    """Everything about a run. `history[finding id]` has the finding's state over time. `warm_up` came before the
    phases; its requests are in `stretches`, and in nothing else here. `met` has the faults that the gateway recorded
    under the phase and id of a request in `exemplars`, one for each call: of an application's, which has no tag.
    `workers` are those of a load of several processes."""

    plan: Plan
    outcome: str
    exit_code: int
    reasons: tuple[str, ...]
    seconds: float
    findings: tuple[Finding, ...]
    delivered: Delivered
    phases: tuple[PhaseSpan, ...]
    warm_up: PhaseSpan | None
    digest: Digest
    stretches: tuple[Stretch, ...]
    history: Mapping[str, tuple[Point, ...]]
    counters: GatewayCounters | None
    events: tuple[Event, ...]
    sampled: int = 0
    exemplars: Kept = field(default_factory=Kept)
    met: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    workers: tuple[WorkerRecord, ...] = ()

    @classmethod
    def from_records(cls, records: Iterable[Record], *, file: str = "journal.jsonl") -> Result:
        """Build the result. Raises InvalidInput when the journal does not begin with a plan or has a damaged record."""
        builder = _Builder(file)
        for number, record in enumerate(records, 1):
            builder.take(record, number)
        return builder.result()

    def outcomes(self) -> list[tuple[Key, Tally]]:
        """Return every outcome with its counts and latencies, in the order of the keys."""
        return sorted(self.digest.items())

    def _workers(self) -> dict[str, Any]:
        return {"workers": list(self.workers)} if self.workers else {}

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `result.json`: plain values, in seconds and fractions."""
        plan = self.plan
        return {
            "schema": SCHEMA,
            "name": plan.name,
            "file": plan.file,
            "description": plan.description,
            "run": plan.run,
            "started": plan.started,
            "seconds": round(self.seconds, 3),
            "command": list(plan.command),
            "seed": plan.seed,
            "confidence": plan.confidence,
            "tolerance": plan.tolerance,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "reasons": list(self.reasons),
            "findings": [finding.to_dict() for finding in self.findings],
            "load": {"planned": dict(plan.load), "delivered": _delivered_json(self.delivered), **self._workers()},
            "phases": [_phase_json(span) for span in self.phases],
            **({} if self.warm_up is None else {"warm_up": _phase_json(self.warm_up)}),
            "rules": list(plan.rules),
            "outcomes": [_outcome_json(key, tally) for key, tally in self.outcomes()],
            "timeline": [_stretch_json(stretch) for stretch in self.stretches],
            "exemplars": _exemplars_json(self.exemplars),
            "counters": self.counters,
            "events": [{"at": event.at, "level": event.level, "text": event.text} for event in self.events],
            "notes": list(plan.notes),
            "environment": dict(plan.environment),
        }


@dataclass(slots=True)
class _Builder:
    """Collects records until the result can be made."""

    file: str
    plan: Plan | None = None
    timeline: Timeline = field(default_factory=Timeline)
    last_at: float = 0.0
    counters: GatewayCounters | None = None
    findings: tuple[Finding, ...] = ()
    history: dict[str, list[Point]] = field(default_factory=dict)
    spans: list[tuple[Phase, float | None]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    sampled: int = 0
    exemplars: Kept = field(default_factory=Kept)
    faulted: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    workers: tuple[WorkerRecord, ...] = ()
    end: End | None = None

    def take(self, record: Record, number: int) -> None:
        if self.plan is None and not isinstance(record, Plan):
            raise InvalidInput.at(self.file, f"begins with a `{record.type}` record where a plan belongs", line=number)
        self.last_at = max(self.last_at, record.at)
        try:
            self._file_away(record)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            reason = f"without {error}" if isinstance(error, KeyError) else str(error)
            raise InvalidInput.at(self.file, f"a damaged `{record.type}` record: {reason}", line=number) from None

    def _file_away(self, record: Record) -> None:
        match record:
            case Plan():
                if self.plan is not None:
                    raise ValueError("a second plan; a journal is of one run")
                self.plan = record
            case DigestLine():
                self.timeline.push(record)
            case Counters():
                self.counters = complete_counters(record.counters)
            case Findings():
                self._judge(record)
            case Phase():
                self._phase(record)
            case Event():
                self.events.append(record)
            case Sample():
                self.sampled += len(record.requests)
            case Exemplars():
                self.exemplars.merge(record.requests)
            case LoadWorkers():
                self.workers = record.workers
            case Faulted():
                for row in record.requests:
                    self.faulted.setdefault((row["phase"], row["id"][:ID_LENGTH]), []).append(row["fault"])
            case End():
                self.end = record

    def _judge(self, record: Findings) -> None:
        self.findings = tuple(Finding.from_dict(each) for each in record.findings)
        for finding in self.findings:
            observed = finding.observed or finding.drawn
            point = Point(
                at=record.at,
                n=observed.n if observed else 0,
                estimate=finding.estimate,
                interval=finding.interval,
                verdict=finding.verdict.value,
            )
            self.history.setdefault(finding.id, []).append(point)

    def _phase(self, record: Phase) -> None:
        if record.event == "begin":
            self.spans.append((record, None))
            return
        for index, (begin, end) in enumerate(self.spans):
            if begin.name == record.name and end is None:
                self.spans[index] = (begin, record.at)

    def result(self) -> Result:
        if self.plan is None:
            raise InvalidInput.at(self.file, "an empty journal: nothing was recorded")
        everything = self.timeline.digest()
        digest = everything.without(WARM_UP)
        spans = self._spans(everything)
        end = self.end or End(
            outcome=UNFINISHED,
            exit_code=ExitCode.ENVIRONMENT,
            reasons=("the journal stops before the run's end: chaos or the machine was stopped",),
        )
        return Result(
            plan=self.plan,
            outcome=end.outcome,
            exit_code=end.exit_code,
            reasons=end.reasons,
            seconds=self.last_at,
            findings=self.findings,
            delivered=self._delivered(digest),
            phases=tuple(span for span in spans if span.name != WARM_UP),
            warm_up=next((span for span in spans if span.name == WARM_UP), None),
            digest=digest,
            stretches=tuple(self.timeline.stretches),
            history={name: tuple(points) for name, points in self.history.items()},
            counters=_without_warm_up(self.counters),
            events=tuple(self.events),
            sampled=self.sampled,
            exemplars=self.exemplars,
            met=self._met(),
            workers=self.workers,
        )

    def _met(self) -> dict[tuple[str, str], tuple[str, ...]]:
        places = {(each.key.phase, each.id) for each in self.exemplars}
        return {place: tuple(self.faulted[place]) for place in places if place in self.faulted}

    def _delivered(self, digest: Digest) -> Delivered:
        stretches = [each for each in self.timeline.stretches if not _of_warm_up(each)]
        busy = [stretch for stretch in stretches if stretch.counts]
        shares = sorted(stretch.cpu for stretch in busy)
        return Delivered(
            requests=digest.count,
            seconds=max((each.end for each in busy), default=0.0) - min((each.begin for each in busy), default=0.0),
            errors=_errors(digest),
            peak_users=max((stretch.users for stretch in busy), default=0),
            cpu=shares[len(shares) // 2] if shares else 0.0,
            peak_cpu=shares[-1] if shares else 0.0,
            late=sum(stretch.late for stretch in stretches),
            checks=_checks(digest),
        )

    def _spans(self, digest: Digest) -> tuple[PhaseSpan, ...]:
        requests: dict[str, int] = {}
        for key, tally in digest.items():
            requests[key.phase] = requests.get(key.phase, 0) + tally.count
        return tuple(
            PhaseSpan(begin.name, begin.faults, begin.at, end, requests.get(begin.name, 0)) for begin, end in self.spans
        )


def _errors(digest: Digest) -> dict[str, int]:
    found: Counter[str] = Counter()
    for key, tally in digest.items():
        found[key.error] += tally.count if key.error else 0
    return dict(+found)


def _of_warm_up(stretch: Stretch) -> bool:
    """Return whether most of a stretch's requests belong to the warm-up."""
    return 2 * sum(count for key, count in stretch.counts.items() if key.phase == WARM_UP) > stretch.requests


def _without_warm_up(counters: GatewayCounters | None) -> GatewayCounters | None:
    if counters is None:
        return None
    policies = {name: each for name, each in counters.get("policies", {}).items() if name != WARM_UP}
    phases = {name: rules for name, rules in counters["phases"].items() if name != WARM_UP}
    return {**counters, "phases": phases, "policies": policies}


def _checks(digest: Digest) -> dict[str, dict[str, int]] | None:
    outcomes = [(key, tally.count) for key, tally in digest.items() if key.check]
    return {task: dict(parts) for task, parts in failed_checks(outcomes).items()} if outcomes else None


def _delivered_json(delivered: Delivered) -> dict[str, Any]:
    return {
        "requests": delivered.requests,
        "seconds": round(delivered.seconds, 3),
        "rate": round(delivered.rate, 1),
        "errors": delivered.errors,
        "peak_users": delivered.peak_users,
        "cpu": delivered.cpu,
        "peak_cpu": delivered.peak_cpu,
        "late": delivered.late,
        **({} if delivered.checks is None else {"checks": delivered.checks}),
    }


def _phase_json(span: PhaseSpan) -> dict[str, Any]:
    return {
        "name": span.name,
        "faults": span.faults,
        "begin": span.begin,
        "end": span.end,
        "requests": span.requests,
    }


def _exemplars_json(kept: Kept) -> dict[str, list[ExemplarRecord]]:
    return {
        "failures": [each.record() for _, shelf in sorted(kept.failures.items()) for each in shelf],
        "slowest": [each.record() for _, slowest in sorted(kept.slowest.items()) for each in slowest.kept],
    }


def _outcome_json(key: Key, tally: Tally) -> dict[str, Any]:
    found: dict[str, Any] = {**key._asdict(), "count": tally.count, "latency": _latency_json(tally)}
    if tally.due is not None and tally.due.counts:
        found["due"] = dict(zip(QUANTILES, tally.due.quantiles(QUANTILES.values()), strict=True))
    return found


def _latency_json(tally: Tally) -> dict[str, float]:
    quantiles = dict(zip(QUANTILES, tally.latency.quantiles(QUANTILES.values()), strict=True))
    return {**quantiles, "mean": round(tally.latency.mean, 9), "max": tally.latency.maximum}


def _stretch_json(stretch: Stretch) -> dict[str, Any]:
    return {
        "begin": round(stretch.begin, 3),
        "end": round(stretch.end, 3),
        "requests": stretch.requests,
        "errors": stretch.errors,
        "users": stretch.users,
        "cpu": stretch.cpu,
        "p50": stretch.p50,
        "p95": stretch.p95,
        "p99": stretch.p99,
    }
