"""The document that the live page shows, made of the journal's records as they are written.

Whatever a run lasts, it stays small: old points of charts are joined or thinned, and only the last events are kept."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

from chaos import formatting as words
from chaos.claims import shown
from chaos.claims.finding import Finding
from chaos.faults import NAMES, count_of
from chaos.journal.records import Counters, DigestLine, End, Event, Findings, Phase, Plan, Record
from chaos.protocol.counters import GatewayCounters
from chaos.protocol.digest import BY_HAND, WARM_UP
from chaos.protocol.live_state import (
    LiveClaim,
    LiveEnd,
    LiveEvent,
    LiveFault,
    LivePhase,
    LiveRule,
    LiveState,
    Stage,
)
from chaos.protocol.plan_record import PolicyEffect, RuleEffect
from chaos.runner.live.history import History

MOST_CLAIMS = 200
MOST_TRAILS = 40  # claims with a chart
MOST_STEPS = 64  # of a trail
MOST_EVENTS = 100
MOST_PHASES = 60
LONGEST_TEXT = 2000
LEAST_FOR_A_RATE = 0.2  # seconds, as on the terminal


class Document:
    """Follows one run. `stage`, `left` and `report` are set by whoever knows them."""

    def __init__(self) -> None:
        self.stage: Stage = "starting"
        self.left: float | None = None
        self.report = ""
        self._plan: Plan | None = None
        self._at = self._judged = 0.0
        self._number = 0
        self._phases: list[LivePhase] = []
        self._history = History()
        self._requests = self._users = self._left_out = 0
        self._rate = 0.0
        self._findings: list[Finding] = []
        self._trails: dict[str, Trail] = {}
        self._seen: dict[str, Counter[str]] = {}
        self._counters: GatewayCounters | None = None
        self._events: deque[LiveEvent] = deque(maxlen=MOST_EVENTS)
        self._end: End | None = None

    def observe(self, record: Record) -> None:
        """Take a record of the journal."""
        self._at = max(self._at, record.at)
        match record:
            case Plan():
                self._plan = record
            case Phase():
                self._turn(record)
            case DigestLine():
                self._count(record)
            case Counters():
                self._counters = record.counters
            case Findings():
                self._judge(record)
            case Event():
                self.tell(record.level, record.text)
            case End():
                self._history.close()
                self._end, self.stage, self.left = record, "ending", None
            case _:
                pass

    def tell(self, level: str, text: str) -> None:
        """Add an event."""
        self._events.append(LiveEvent(at=round(self._at, 3), level=level, text=text[:LONGEST_TEXT]))

    def _turn(self, record: Phase) -> None:
        at = round(record.at, 3)
        if record.event == "begin":
            self._phases.append(LivePhase(name=record.name, faults=record.faults, begin=at, end=None))
            del self._phases[:-MOST_PHASES]
        elif self._phases:
            self._phases[-1]["end"] = at

    def _count(self, line: DigestLine) -> None:
        self.stage = "running"
        self._history.push(line)
        count = 0
        for entry in line.entries:
            count += entry["count"]
            if entry["phase"] == WARM_UP:
                continue
            self._requests += entry["count"]
            self._left_out += entry["count"] if entry["phase"] == BY_HAND else 0
            seen = self._seen.setdefault(entry["route"], Counter())
            seen["requests"] += entry["count"]
            seen.update({kind: entry["count"] for kind in NAMES if kind in entry["fault"]})
        self._users = line.users
        if line.seconds > LEAST_FOR_A_RATE:
            self._rate = count / line.seconds

    def _judge(self, record: Findings) -> None:
        self._judged = record.at
        self._findings = [Finding.from_dict(each) for each in record.findings]
        for finding in self._findings[:MOST_TRAILS]:
            self._trails.setdefault(finding.id, Trail()).add(record.at, finding)

    # ---------------------------------------------------------------- the document
    def state(self) -> LiveState:
        """Return the document as it is now, with the next number."""
        self._number += 1
        plan, phase = self._plan, self._phases[-1]["name"] if self._phases else ""
        return LiveState(
            run=plan.run if plan is not None else "",
            number=self._number,
            name=plan.name if plan is not None else "",
            description=plan.description if plan is not None else "",
            stage=self.stage,
            at=round(self._at, 3),
            judged=round(self._judged, 3),
            phase=phase,
            phases=list(self._phases),
            requests=self._requests,
            rate=round(self._rate, 1),
            users=self._users,
            left=self.left,
            confidence=plan.confidence if plan is not None else 0.0,
            claims=[self._claim(finding) for finding in self._findings[:MOST_CLAIMS]],
            more_claims=max(0, len(self._findings) - MOST_CLAIMS),
            tasks=self._history.tasks,
            points=self._history.points,
            rules=list(self._rules(phase)),
            by_hand=list(self._counters.get("by_hand", ())) if self._counters is not None else [],
            left_out=self._left_out,
            events=list(self._events),
            end=self._ended(),
        )

    def _ended(self) -> LiveEnd | None:
        end = self._end
        if end is None:
            return None
        return LiveEnd(outcome=end.outcome, exit_code=end.exit_code, reasons=list(end.reasons), report=self.report)

    def _claim(self, finding: Finding) -> LiveClaim:
        trail = self._trails.get(finding.id)
        return LiveClaim(
            id=finding.id,
            about=finding.rule_name or finding.task,
            title=finding.title,
            phase=finding.phase,
            verdict=finding.verdict.value,
            sentence=finding.sentence[:LONGEST_TEXT],
            configured=" ".join(filter(None, (shown.configured(finding), shown.tolerance(finding)))),
            observed=_observed(finding),
            interval=words.interval(finding.interval, finding.unit),
            unit=finding.unit,
            target=finding.configured,
            band=_band(finding),
            trail=trail.steps if trail is not None else [],
        )

    def _rules(self, phase: str) -> Iterator[LiveRule]:
        """Yield the rules that have faults in some phase, each with its three ledgers."""
        effects: tuple[RuleEffect, ...] = self._plan.rules if self._plan is not None else ()
        by_key: dict[str, list[RuleEffect]] = {}
        for effect in effects:
            by_key.setdefault(effect["key"], []).append(effect)
        drawn = _drawn(self._counters)
        for key, mine in by_key.items():
            kinds = dict.fromkeys(fault["kind"] for effect in mine for fault in effect["faults"])
            now = {fault["kind"]: fault["share"] for each in mine if each["phase"] == phase for fault in each["faults"]}
            name = mine[0]["name"]
            faults = [
                LiveFault(
                    kind=kind,
                    configured=words.exact(now.get(kind, 0.0), "share"),
                    drawn=_share(drawn.get(key, {}), kind),
                    observed=_share(self._seen.get(name, {}), kind),
                )
                for kind in kinds
            ]
            if faults:
                yield LiveRule(key=key, name=name, faults=faults)
        yield from self._policies(phase)

    def _policies(self, phase: str) -> Iterator[LiveRule]:
        """Yield the policies like rules, each with its three ledgers; what users saw is that of its claim."""
        effects: tuple[PolicyEffect, ...] = self._plan.policies if self._plan is not None else ()
        seen = {each.rule: _observed(each) for each in self._findings if each.phase in ("", phase)}
        for key in dict.fromkeys(each["key"] for each in effects):
            mine = [each for each in effects if each["key"] == key]
            now = next((each["share"] for each in mine if each["phase"] == phase and each["on"]), 0.0)
            fault = LiveFault(
                kind=mine[0]["kind"],
                configured=words.exact(now, "share"),
                drawn=_met(self._counters, mine[0]["name"]),
                observed=seen.get(key, ""),
            )
            yield LiveRule(key=key, name=key, faults=[fault])


class Trail:
    """How a claim's interval closed in: `[at, low, high, estimate]` each time there were more requests. When there are
    too many, every other one is dropped."""

    def __init__(self) -> None:
        self.steps: list[list[float | None]] = []
        self._requests = 0

    def add(self, at: float, finding: Finding) -> None:
        tally = finding.observed or finding.drawn
        if finding.interval is None or tally is None or tally.n == self._requests:
            return
        self._requests = tally.n
        low, high = finding.interval
        if len(self.steps) >= MOST_STEPS:
            del self.steps[1::2]
        self.steps.append([round(at, 3), *map(_short, (low, high, finding.estimate))])


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _observed(finding: Finding) -> str:
    """Return `50.1 % of 14 000`."""
    if finding.estimate is None:
        return ""
    tally = finding.observed or finding.drawn
    of = f" of {words.count(tally.n)}" if tally is not None and tally.n else ""
    return f"{shown.estimate(finding)}{of}"


def _band(finding: Finding) -> list[float | None] | None:
    """Return where the claim holds."""
    target = finding.configured
    if target is None:
        return None
    match finding.sense:
        case "below":
            return [None, target]
        case "above":
            return [target, None]
        case "within":
            reach = finding.tolerance or 0.0
            return [target - reach, target + reach]


def _drawn(counters: GatewayCounters | None) -> dict[str, Counter[str]]:
    """Return what the gateway drew, by rule key, added up over all phases but the warm-up."""
    found: dict[str, Counter[str]] = {}
    for name, phase in counters["phases"].items() if counters is not None else ():
        for key, counts in phase.items() if name != WARM_UP else ():
            row = found.setdefault(key, Counter())
            row["requests"] += counts["requests"]
            row.update({kind: count_of(kind, counts["faults"]) for kind in NAMES})
    return found


def _met(counters: GatewayCounters | None, name: str) -> str:
    """Return how many of a policy's requests met its fault, over all phases but the warm-up."""
    phases = counters.get("policies", {}) if counters is not None else {}
    counted = [each[name] for phase, each in phases.items() if name in each and phase != WARM_UP]
    row = {"requests": sum(each["targeted"] for each in counted), "met": sum(each["met"] for each in counted)}
    return _share(row, "met")


def _share(row: Any, kind: str) -> str:
    """Return `50.1 % of 14 000`; empty without requests."""
    requests = row.get("requests", 0)
    return f"{words.share(row.get(kind, 0) / requests, 0.01)} of {words.count(requests)}" if requests else ""
