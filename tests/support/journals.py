"""Journals of runs that never happened: simulated traffic, written by the project's own records, digests and
condenser. Verdicts come from `chaos.verify`, as in a real run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from chaos.claims.effects import Effect
from chaos.claims.expected_outcomes import expected_outcomes
from chaos.claims.finding import Finding, Tally
from chaos.faults import AbortFault, DelayFault
from chaos.journal.condense import Condenser, Pace
from chaos.journal.identity import request_id
from chaos.journal.records import Counters, DigestLine, End, Event, Exemplars, Findings, Phase, Plan, Record, encode
from chaos.protocol.digest import Digest, Key
from chaos.protocol.exemplars import Exemplar, ExemplarRecord
from chaos.protocol.exemplars import Exemplars as Kept
from chaos.units import Percent
from chaos.verify.claim import within
from chaos.verify.verdict import Verdict, worst
from support.traffic import Dice, add, shares

DOCUMENT = """apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: webserver
spec:
  hosts:
  - webserver
  http:
  - fault:
      abort:
        httpStatus: 400
        percentage:
          value: 50
    route:
    - destination:
        host: webserverv1.default.svc.cluster.local
"""


@dataclass(frozen=True)
class Scenario:
    """What to simulate. Shares are fractions; `delay` in seconds; `phases` are (name, faults on, share of the
    seconds)."""

    name: str = "abort50"
    requests: int = 10_000
    seconds: int = 10
    abort: float = 0.5
    real_abort: float | None = None
    delay_share: float = 0.0
    delay: float = 0.0
    status: int = 400
    phases: tuple[tuple[str, bool, float], ...] = (("main", True, 1.0),)
    tasks: tuple[str, ...] = ("GET http://webserver/",)
    destinations: tuple[str, ...] = ("webserverv1.default.svc.cluster.local:80",)
    document: str = DOCUMENT
    rule_name: str = "webserver[0]"
    description: str = "Half of all calls to webserver fail with 400."
    seed: int = 7
    engine: str = ""
    ended: bool = True
    lost: float = 0.0
    open_model: bool = False
    started: str = "2026-11-22T21:46:05+00:00"
    notes: tuple[dict[str, object], ...] = field(default=())


WHERE = "experiments/abort50.yaml:9:5"
RULE = "virtualservice/default/webserver/0"


def records(scenario: Scenario) -> list[Record]:
    """The journal's records, in order."""
    made: list[Record] = [_plan(scenario), Event(at=0.4, level="info", text="webserver is ready on 127.0.0.1:9001")]
    dice = Dice(scenario.seed)
    condenser, pace = Condenser(), Pace()
    total = Digest()
    at, latest = 1.0, ()
    for phase, faults, share in scenario.phases:
        made.append(Phase(at=at, name=phase, faults=faults, event="begin"))
        for _ in range(max(1, round(scenario.seconds * share))):
            digest = _second(scenario, phase, faults, dice)
            total.merge(digest)
            at += 1.0
            line = DigestLine(
                at=at,
                second=at - 2.0,
                users=20,
                cpu=0.35,
                entries=tuple(digest.entries()),
                pairs=tuple(digest.pair_entries()),
                parts=digest.parts.record(),
            )
            written = condenser.push(line)
            if written is not None:
                made.append(replace(written, at=at))
            latest = tuple(finding.to_dict() for finding in findings(scenario, total))
            if pace.due(at):
                made.append(Findings(at=at, findings=latest))
        rest = condenser.flush()
        if rest is not None:
            made.append(replace(rest, at=at))
        made.append(Exemplars(at=at, requests=tuple(_exemplars(scenario, total, phase))))
        made.append(Phase(at=at, name=phase, faults=faults, event="end"))
    made.append(Counters(at=at, counters=_counters(scenario, total)))
    made.append(Findings(at=at, findings=latest))
    if scenario.ended:
        verdict = worst(Verdict(each["verdict"]) for each in latest)
        code = {Verdict.VERIFIED: 0, Verdict.FALSIFIED: 1, Verdict.INCONCLUSIVE: 3, Verdict.NO_TRAFFIC: 6}[verdict]
        made.append(End(at=at + 0.2, outcome=verdict.value, exit_code=code))
    return made


def write(folder: Path, scenario: Scenario | None = None, **changes: object) -> Path:
    """A run's folder with its journal; returns the folder."""
    scenario = replace(scenario or Scenario(), **changes)  # type: ignore[arg-type]
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(encode(record) + "\n" for record in records(scenario))
    (folder / "journal.jsonl").write_text(text)
    return folder


def findings(scenario: Scenario, digest: Digest) -> list[Finding]:
    """What `chaos run` would say of the counts so far."""
    claims = [("abort", scenario.abort, scenario.status)] if scenario.abort else []
    if scenario.delay_share:
        claims.append(("delay", scenario.delay_share, 0))
    return [_finding(scenario, digest, kind, share, len(claims)) for kind, share, _ in claims]


def _finding(scenario: Scenario, digest: Digest, kind: str, share: float, claims: int) -> Finding:
    on = {phase for phase, faults, _ in scenario.phases if faults}
    k = n = 0
    for key, tally in digest.items():
        if key.phase in on:
            n += tally.count
            k += tally.count if kind in key.fault else 0
    claim, alpha = within(share), 0.01 / claims
    bounds = claim.interval(k, n, alpha) if n else None
    verdict = claim.assess(k, n, alpha)
    what = f"abort {scenario.status}" if kind == "abort" else f"delay {scenario.delay:g} s"
    percent = f"{k / n:.1%}" if n else "no share"
    return Finding(
        id=f"{kind}:{RULE}",
        kind=kind,
        title=what,
        verdict=verdict,
        sentence=f"{percent} of {n} requests were met by {what}, where the rule says {share:.0%}.",
        rule=RULE,
        rule_name=scenario.rule_name,
        where=WHERE,
        configured=share,
        tolerance=claim.tolerance,
        drawn=Tally(k, n),
        observed=Tally(k, n),
        estimate=k / n if n else None,
        interval=(bounds.low, bounds.high) if bounds else None,
        alpha=alpha,
        ledgers=("configured", "drawn", "observed"),
        needed=None if verdict.decided else claim.needed(k, n, alpha),
    )


def _second(scenario: Scenario, phase: str, faults: bool, dice: Dice) -> Digest:
    """What users see in one second of a phase."""
    digest = Digest()
    rate = scenario.requests / scenario.seconds / len(scenario.tasks)
    abort = (scenario.abort if scenario.real_abort is None else scenario.real_abort) if faults else 0.0
    for task in scenario.tasks:
        n = max(1, round(rate * (0.93 + 0.14 * dice.random())))
        delayed = dice.binomial(n, scenario.delay_share if faults else 0.0)
        _outcomes(digest, scenario, dice, (phase, task), delayed, abort, late=True)
        _outcomes(digest, scenario, dice, (phase, task), n - delayed, abort, late=False)
    return digest


def _outcomes(
    digest: Digest, scenario: Scenario, dice: Dice, place: tuple[str, str], size: int, abort: float, *, late: bool
) -> None:
    wait, prefix = (scenario.delay, "delay") if late else (0.0, "")
    both = ",".join(part for part in (prefix, "abort") if part)
    aborted, missing, forwarded = shares(dice, size, abort, scenario.lost, scenario.destinations)
    route, due = scenario.rule_name, scenario.open_model
    add(digest, dice, Key(*place, route, "", scenario.status, both), aborted, wait + 0.0004, open_model=due)
    add(digest, dice, Key(*place, "", "", 0, "", 1, "reset"), missing, wait + 0.002, open_model=due)
    for destination, count in zip(scenario.destinations, forwarded, strict=True):
        add(digest, dice, Key(*place, route, destination, 200, prefix), count, wait + 0.0011, open_model=due)


def _exemplars(scenario: Scenario, digest: Digest, phase: str) -> list[ExemplarRecord]:
    """A few requests of each outcome of a phase."""
    kept = Kept()
    for place, (key, tally) in enumerate(sorted(digest.items())):
        for number in range(min(4, tally.count if key.phase == phase else 0)):
            body = "fault filter abort" if "abort" in key.fault else f"answer {number}" if key.status else ""
            reason = "" if key.status else "Connection reset by peer"
            micros = round(1e6 * tally.latency.quantile(1 - number / 10))
            kept.add(Exemplar(request_id(scenario.seed, 10 * place + number), key, number * 0.5, micros, body, reason))
    return kept.take()


def _counters(scenario: Scenario, digest: Digest) -> dict[str, object]:
    """The gateway's ledger of the same requests."""
    phases: dict[str, dict[str, dict[str, object]]] = {}
    for phase in dict.fromkeys(key.phase for key in digest.tallies):
        seen = [(key, tally.count) for key, tally in digest.items() if key.phase == phase and key.route]
        forwarded = [(key, count) for key, count in seen if key.destination]
        phases[phase] = {
            RULE: {
                "requests": sum(count for _, count in seen),
                "faults": _totals((key.fault, count) for key, count in seen if key.fault),
                "forwarded": sum(count for _, count in forwarded),
                "mirrored": 0,
                "destinations": _totals((key.destination, count) for key, count in forwarded),
                "statuses": _totals((str(key.status), count) for key, count in seen),
                "upstream_requests": sum(count for _, count in forwarded),
                "upstream_failures": 0,
                "upstream_statuses": _totals((str(key.status), count) for key, count in forwarded),
                "tries": {"1": sum(count for _, count in forwarded)},
                "delay_seconds": scenario.delay * sum(count for key, count in seen if "delay" in key.fault),
            }
        }
    return {"generation": 1, "seconds": 10.0, "workers": 1, "connections": 20, "cpu_seconds": 4.2, "phases": phases}


def _totals(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for name, count in pairs:
        totals[name] += count
    return dict(totals)


def _rules(scenario: Scenario) -> tuple[dict[str, object], ...]:
    """What the plan says of the rules, per phase."""
    return tuple(
        {
            "phase": phase,
            "key": RULE,
            "name": scenario.rule_name,
            "where": WHERE,
            "tasks": list(scenario.tasks),
            "faults": _faults(scenario) if faults else [],
            "outcomes": [asdict(each) for each in expected_outcomes(_effect(scenario), faults=faults)],
        }
        for phase, faults, _ in scenario.phases
    )


def _effect(scenario: Scenario) -> Effect:
    delay = DelayFault(Percent.of(100 * scenario.delay_share), scenario.delay)
    abort = AbortFault(Percent.of(100 * scenario.abort), scenario.status)
    parts = len(scenario.destinations)
    return Effect(
        key=RULE,
        name=scenario.rule_name,
        faults=tuple(fault for fault in (delay, abort) if fault.share),
        destinations=tuple((label, 1 / parts) for label in scenario.destinations),
    )


def _faults(scenario: Scenario) -> list[dict[str, object]]:
    delay = {"kind": "delay", "share": scenario.delay_share, "parameters": {"seconds": scenario.delay}}
    abort = {"kind": "abort", "share": scenario.abort, "parameters": {"status": scenario.status, "grpc_status": None}}
    return [fault for fault in (delay, abort) if fault["share"]]


def _plan(scenario: Scenario) -> Plan:
    return Plan(
        name=scenario.name,
        file="experiments/abort50.yaml",
        run="20261122T214605",
        description=scenario.description,
        documents={"experiments/abort50.yaml": scenario.document},
        seed=scenario.seed,
        engine=scenario.engine,
        command=("chaos", "run", "experiments/abort50.yaml", "--seed", str(scenario.seed)),
        started=scenario.started,
        confidence=0.99,
        tolerance=0.02,
        load={
            "users": 20,
            "spawn_rate": 100.0,
            "arrival_rate": 2000.0 if scenario.open_model else None,
            "client": "lean",
            "processes": 1,
            "until": "decided",
            "tasks": [{"name": task, "method": "GET", "url": task.removeprefix("GET ")} for task in scenario.tasks],
        },
        environment={"chaos": "0.1.0", "python": "3.11.7", "platform": "Linux 6.1 x86_64", "cpus": 2},
        rules=_rules(scenario),
        phases=tuple({"name": name, "faults": faults} for name, faults, _ in scenario.phases),
        notes=tuple(scenario.notes),
    )


PHASED_DELAY = Scenario(
    name="delayed",
    requests=3_000,
    seconds=6,
    abort=0.0,
    delay_share=0.3,
    delay=0.2,
    phases=(("baseline", False, 0.5), ("fault", True, 0.5)),
)
"""A run with a phase without faults, then one in which three in ten requests are late."""
