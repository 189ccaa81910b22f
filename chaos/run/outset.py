"""All that is settled before a run's processes start: rules, tasks, phases, what is expected, and the journal's first
line."""

from __future__ import annotations

import os
import platform
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from chaos import __version__
from chaos.errors import InvalidInput, Problem
from chaos.experiment.bench import Bench
from chaos.experiment.claims import hosts_of, names_of, read_hold, read_hypotheses, read_safeguards
from chaos.experiment.effects import Effect, PhaseEffects
from chaos.experiment.expectations import Expectation, expectations
from chaos.experiment.expression import Expression
from chaos.experiment.finding import Finding
from chaos.experiment.levels import as_text
from chaos.experiment.model import Load
from chaos.experiment.outcomes import expected_outcomes, mean_delay
from chaos.experiment.planning import PlanLine, expected_rate, plan_lines
from chaos.experiment.reach import effects_of, untouched, way_of
from chaos.experiment.read import Reading
from chaos.experiment.safeguards import Safeguard
from chaos.experiment.safety import allowed, is_loopback, known_hosts, task_problems
from chaos.experiment.services import Addresses, proxy_of
from chaos.experiment.tasks import LoadTask, derive_tasks, load_tasks
from chaos.journal.records import Plan
from chaos.mesh.names import covers, full_name
from chaos.mesh.rules import Rules, compile_rules
from chaos.run.load_messages import load_plan
from chaos.run.options import RunOptions
from chaos.run.phase_rules import PhaseRules, own_values, with_rules
from chaos.run.phases import RunPhase, phases_of
from chaos.run.prepare import Prepared, prepare
from chaos.run.searching import SearchPlan, plan_search
from chaos.verify.verdict import Verdict

SAMPLE = 0.25
HOLD_SLACK = 1.0
"""Seconds beyond the longest answer the rules bring about, after which counts no longer wait for an answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Outset:
    """One run, planned. Shares and times as in the core: fractions, seconds."""

    prepared: Prepared
    options: RunOptions
    rules: Rules
    tasks: tuple[LoadTask, ...]
    phases: tuple[RunPhase, ...]
    effects: tuple[PhaseEffects, ...]
    expected: tuple[Expectation, ...]
    hypotheses: tuple[Expression, ...]
    safeguards: tuple[Safeguard, ...]
    search: SearchPlan | None
    silent: tuple[Finding, ...]
    notes: tuple[Problem, ...]
    seed: int

    # ---------------------------------------------------------------- what the supervisor asks for
    @property
    def name(self) -> str:
        return self.prepared.reading.name

    @property
    def file(self) -> str:
        return self.prepared.reading.file

    @property
    def files(self) -> tuple[str, ...]:
        return (self.file,)

    @property
    def description(self) -> str:
        return self.prepared.reading.experiment.spec.description

    @property
    def load(self) -> Load:
        return self.prepared.reading.experiment.spec.load

    @property
    def gateway(self) -> str | None:
        return self.options.gateway

    @property
    def workers(self) -> int:
        return self.options.workers

    @property
    def overrides(self) -> tuple[str, ...]:
        return self.options.overrides

    @property
    def confidence(self) -> float:
        return self.prepared.reading.experiment.spec.verify.confidence / 100

    @property
    def tolerance(self) -> float:
        return self.prepared.reading.experiment.spec.verify.tolerance / 100

    @property
    def longest_answer(self) -> float:
        """Seconds that a request may take by the rules' own doing: delay, then the timeout if there is one."""
        found = [effect.delay + min(effect.timeout or 0.0, 10.0) for each in self.effects for effect in each.effects]
        if self.search is not None and self.search.quantity.in_seconds:
            found.append(self.search.to)
        return min(max(found, default=0.0), 60.0)

    def bench(self) -> Bench:
        """Everything that judges the run, before it has begun."""
        safeguards = [Safeguard(each.expression, each.hold_for) for each in self.safeguards]
        hypotheses = self.hypotheses
        return Bench(
            self.expected,
            hypotheses,
            safeguards,
            hosts=hosts_of(self.rules),
            silent=self.silent,
            confidence=self.confidence,
        )

    def level_bench(self, plan: SearchPlan, phase: RunPhase, confidence: float) -> Bench:
        """What judges one level of a search: the hypothesis alone, in that phase."""
        hold = plan.hold
        right = replace(hold.right, phase=phase.name) if hold.right is not None else None
        text = f"{phase.name}: {hold.text}"  # tells the levels apart, in the report's curves as well
        there = replace(hold, text=text, left=replace(hold.left, phase=phase.name), right=right)
        return Bench((), (there,), hosts=hosts_of(self.rules), confidence=confidence)

    @property
    def sample(self) -> float:
        """The share of requests that are told one by one, for following faults to users."""
        expressions = [*self.hypotheses, *([self.search.hold] if self.search is not None else [])]
        return SAMPLE if any(each.left.metric == "masked" for each in expressions) else 0.0

    @property
    def follows_faults(self) -> bool:
        """Whether the journal needs the ids of faulted requests: of others than our own, or to see who noticed them.

        Those of our own follow from the seed (chaos/journal/replay.py); ten thousand a phase would be two megabytes."""
        return self.sample > 0 or any(task.direct for task in self.tasks)

    def announcements(self) -> Iterator[tuple[str, str]]:
        """What the user is told before anything starts: warnings on the rules, and hosts nobody listed."""
        if self.prepared.services.note:
            yield "info", self.prepared.services.note
        for problem in self.notes:
            if problem.severity == "warning":
                yield "warning", str(problem)

    def placed_tasks(self, addresses: Addresses) -> tuple[LoadTask, ...]:
        """The tasks with the real addresses of applications under test in their URLs."""
        applications = self.prepared.services.applications()
        namespace = proxy_of(self.prepared.reading).namespace
        placed = []
        for task in self.tasks:
            found = applications.get(full_name(task.host, namespace)) if task.direct else None
            if found is not None:
                host, port = found.address or addresses[found.key]
                task = replace(task, url=urlunsplit(urlsplit(task.url)._replace(netloc=f"{host}:{port}")))
            placed.append(task)
        return tuple(placed)

    def load_extra(self) -> dict[str, Any]:
        """What the load's plan holds beside the load: exact numbers of requests, the web UI, the phase to count
        under."""
        only = self.phases[0] if len(self.phases) == 1 and self.search is None else None
        return {
            "requests": only.stop.requests if only is not None else None,
            "ui": self.options.ui,
            "phase": self.phases[0].name,
            "tags": self.gateway is None,
            "sample": self.sample,
            "faults": self._shown_faults(),
            "hold": self.longest_answer + HOLD_SLACK,
        }

    def _shown_faults(self) -> list[dict[str, Any]]:
        """What the web UI shows as configured: the first phase in which faults are on."""
        effects = next((each.effects for each in self.effects if each.faults), ())
        shares = [
            (effect.name, kind, getattr(effect, f"{kind}_share")) for effect in effects for kind in ("abort", "delay")
        ]
        return [{"name": name, "kind": kind, "configured": share} for name, kind, share in shares if share is not None]

    def level(self, plan: SearchPlan, level: float) -> RunPhase:
        """The phase of one level, with the documents to put in force."""
        return with_rules(self.prepared, plan.phase(level), self.rules, ("spec", "search", "vary")).phase

    def own_text(self) -> str:
        """The experiment's own Istio documents, to be put back in force."""
        return as_text(own_values(self.prepared))

    def forecast(self) -> dict[str, Any]:
        """What `chaos plan` tells: expected outcomes per rule, and what a verdict on each claim takes."""
        load = self.load
        weights = {task.name: float(task.weight) for task in self.tasks}
        lines = plan_lines(
            self.effects,
            self.expected,
            weights,
            confidence=self.confidence,
            hypotheses=len(self.hypotheses),
            requests=self.phases[0].stop.requests,
        )
        delay = max((mean_delay(expected_outcomes(each)) for each in self.effects[0].effects), default=0.0)
        rate = expected_rate(load.users, delay, load.arrival_rate)
        needed = [line.nine_in_ten for line in lines if line.nine_in_ten is not None]
        return {
            "name": self.name,
            "description": self.description,
            "confidence": self.confidence,
            "tolerance": self.tolerance,
            "rules": [_effect_json(each, effect) for each in self.effects for effect in each.effects],
            "claims": [_claim_json(line) for line in lines],
            "rate": rate,
            "seconds": max(needed) / rate if needed else None,
        }

    def plan_record(self, run: str) -> Plan:
        reading = self.prepared.reading
        return Plan(
            run=run,
            name=self.name,
            file=self.file,
            description=self.description,
            documents=dict(reading.texts),
            seed=self.seed,
            command=(*self.options.command[:2], self.file, *self.options.command[2:]),
            started=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            confidence=self.confidence,
            tolerance=self.tolerance,
            load=load_plan(self.load, self.tasks, gateway=self.gateway or "", seed=self.seed),
            environment=environment(),
            rules=tuple(_effect_json(each, effect) for each in self.effects for effect in each.effects),
            phases=tuple({"name": phase.name, "faults": phase.faults} for phase in self.phases),
            expectations=tuple(_expectation_json(each) for each in self.expected),
            notes=tuple(_note_json(problem) for problem in self.notes),
        )


def plan_run(file: str, options: RunOptions) -> Outset:
    """Raises InvalidInput with everything that is wrong."""
    prepared = prepare([file], options.overrides).require_sound()
    reading = prepared.reading
    if options.gateway is not None:
        _check_gateway(options.gateway, reading)
    rules = compile_rules(reading.resources, prepared.registry(), proxy_of(reading))
    tasks, notes = _tasks(prepared, rules)
    open_ended = bool(reading.experiment.spec.load.locustfile) or bool(prepared.services.applications())
    ruled = _phases(prepared, rules)
    phases = tuple(each.phase for each in ruled)
    effects = tuple(
        PhaseEffects(each.phase.name, effects_of(each.rules, tasks, others=open_ended), each.phase.faults)
        for each in ruled
    )
    hypotheses, safeguards, search = _claims(prepared, rules, tasks, phases)
    tagged = options.gateway is None
    tolerance = reading.experiment.spec.verify.tolerance / 100
    expected = expectations(effects, tolerance=tolerance, tagged=tagged) if search is None else ()
    silent = _silent(rules, effects[0].effects) if search is None else ()
    if not expected and not silent and not hypotheses and search is None:
        raise InvalidInput.at(reading.file, "there is nothing to verify: no rule, and no task that takes one")
    seed = options.seed if options.seed is not None else reading.experiment.spec.seed
    return Outset(
        prepared,
        options,
        rules,
        tasks,
        phases,
        effects,
        expected,
        hypotheses,
        safeguards,
        search,
        silent,
        (*(each for each in prepared.problems if each.severity != "error"), *notes),
        random.getrandbits(48) if seed is None else seed,
    )


def _check_gateway(url: str, reading: Reading) -> None:
    """Raises InvalidInput for what is no URL, beyond this machine, or asks of a foreign gateway what only ours can."""
    parts = urlsplit(url)
    spec = reading.experiment.spec
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput.at("--gateway", f"{url!r} is not a URL; write it like http://127.0.0.1:15000")
    if not allowed(parts.hostname, spec.allow_hosts):
        raise InvalidInput.at("--gateway", f"{parts.hostname} is not on this machine; name it in spec.allowHosts")
    if spec.phases or spec.search is not None:
        what = "phases" if spec.phases else "search"
        message = "a gateway that already runs cannot be told to change its faults; leave this out with --gateway"
        raise InvalidInput([reading.problem(("spec", what), message)])


def _phases(prepared: Prepared, rules: Rules) -> tuple[PhaseRules, ...]:
    """The phases with their rules. Raises InvalidInput for phases that clash, or have no faults to switch."""
    reading = prepared.reading
    spec = reading.experiment.spec
    problems: list[Problem] = []
    if spec.search is not None and spec.phases:
        problems.append(reading.problem(("spec", "phases"), "a search makes its own phases; leave one of the two out"))
    names = [phase.name for phase in spec.phases]
    for index, name in enumerate(names):
        if name in names[:index]:
            problems.append(reading.problem(("spec", "phases", index, "name"), f"a second phase called {name}"))
    faulty = any(info.abort is not None or info.delay is not None for info in rules.rules)
    for index, each in enumerate(spec.phases):
        if "faults" in each.model_fields_set and not faulty and not each.rules:
            message = "there are no faults to switch: no rule has a fault"
            problems.append(reading.problem(("spec", "phases", index, "faults"), message))
    if problems:
        raise InvalidInput(problems)
    found = []
    for phase in phases_of(spec):
        index = next((number for number, name in enumerate(names) if phase.name.startswith(name)), 0)
        found.append(with_rules(prepared, phase, rules, ("spec", "phases", index)))
    return tuple(found)


def _claims(
    prepared: Prepared, rules: Rules, tasks: Sequence[LoadTask], phases: Sequence[RunPhase]
) -> tuple[tuple[Expression, ...], tuple[Safeguard, ...], SearchPlan | None]:
    """Hypotheses, safeguards and the search. Raises InvalidInput with everything that is wrong in their texts."""
    reading = prepared.reading
    known = None if reading.experiment.spec.load.locustfile else [task.name for task in tasks]
    names = names_of(known, [phase.name for phase in phases], rules)
    hypotheses, problems = read_hypotheses(reading, names)
    safeguards, more = read_safeguards(reading, names)
    hold, others = read_hold(reading, names)
    if problems or more or others:
        raise InvalidInput([*problems, *more, *others])
    search = plan_search(prepared, hold)
    if search is not None:
        with_rules(prepared, search.phase(search.start), rules, ("spec", "search", "vary"))
    return hypotheses, safeguards, search


# ---------------------------------------------------------------------------------------------- tasks


def _tasks(prepared: Prepared, rules: Rules) -> tuple[tuple[LoadTask, ...], list[Problem]]:
    """The experiment's tasks, or those derived from the rules; notes on rules that none was found for."""
    reading = prepared.reading
    load = reading.experiment.spec.load
    if load.locustfile:
        return load_tasks(load.tasks), []
    if load.tasks:
        tasks = tuple(_directed(task, prepared) for task in load_tasks(load.tasks))
        problems = task_problems(reading, prepared.services, tasks)
        if problems:
            raise InvalidInput(problems)
        return tasks, []
    tasks = derive_tasks(reading.resources, lambda task: _taken(rules, task))
    services = reading.resources.virtual_services
    if services and not any(each.spec.hosts for each in services):
        message = (
            "hosts: there are none, so no request reaches these rules; a VirtualService without hosts is a delegate"
        )
        raise InvalidInput([Problem(services[0].locate(("spec",)), "spec", message)])
    if not tasks:
        raise InvalidInput(
            [reading.problem(("spec", "load"), "no request could be derived from the rules; give load.tasks")]
        )
    return tasks, []


def _taken(rules: Rules, task: LoadTask) -> tuple[str, str] | None:
    key = way_of(rules, task).rule
    info = rules.info(key) if key else None
    return (key, info.name) if info is not None and not info.is_default else None


def _directed(task: LoadTask, prepared: Prepared) -> LoadTask:
    """An application under test is reached directly, unless a rule speaks of it; so are hosts that were allowed by
    name."""
    reading = prepared.reading
    proxy = proxy_of(reading)
    host = full_name(task.host, proxy.namespace)
    ruled = {full_name(name, each.namespace) for each in reading.resources.virtual_services for name in each.spec.hosts}
    if host in prepared.services.applications():
        return replace(task, direct=host not in ruled)
    known = any(covers(name, task.host.lower()) or name == "*" for name in known_hosts(reading, prepared.services))
    outside = not known and allowed(task.host, reading.experiment.spec.allow_hosts)
    return replace(task, direct=outside and (is_loopback(task.host) or not known))


def _silent(rules: Rules, effects: Sequence[Effect]) -> tuple[Finding, ...]:
    """A finding for each rule that no task can reach: a run that says nothing about a rule must say so."""
    return tuple(
        Finding(
            id=f"{info.key}#traffic",
            kind="route",
            title="takes requests",
            verdict=Verdict.NO_TRAFFIC,
            sentence=f"{info.name} ({info.location}): no task takes this rule, so nothing is known about it; "
            "add a task that does, or remove the rule",
            rule=info.key,
            rule_name=info.name,
            where=str(info.location or ""),
            cause="traffic",
        )
        for info in untouched(rules, effects)
        if info.hosts
    )


# ---------------------------------------------------------------------------------------------- the journal's words


def environment() -> dict[str, Any]:
    """Where the run takes place, for the report."""
    return {
        "chaos": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "host": platform.node(),
    }


def _effect_json(phase: PhaseEffects, effect: Effect) -> dict[str, Any]:
    return {
        "phase": phase.name,
        "key": effect.key,
        "name": effect.name,
        "where": effect.where,
        "tasks": list(effect.tasks) if effect.tasks is not None else None,
        "abort": effect.abort_share if phase.faults else None,
        "abort_status": effect.abort_status,
        "delay": effect.delay_share if phase.faults else None,
        "delay_seconds": effect.delay,
        "destinations": [list(each) for each in effect.destinations],
        "mirrors": [list(each) for each in effect.mirrors],
        "timeout": effect.timeout,
        "reply": effect.reply,
        "reply_status": effect.reply_status,
        "outcomes": [asdict(each) for each in expected_outcomes(effect, faults=phase.faults)],
    }


def _claim_json(line: PlanLine) -> dict[str, Any]:
    expectation = line.expectation
    about = " ".join(part for part in (expectation.phase, expectation.rule_name or expectation.task) if part)
    return {
        "id": expectation.id,
        "title": f"{about}  {expectation.title}".strip(),
        "share": line.share,
        "median": line.median,
        "nine_in_ten": line.nine_in_ten,
        "deviation": line.deviation,
    }


def _expectation_json(expectation: Expectation) -> dict[str, Any]:
    return {
        "id": expectation.id,
        "kind": expectation.kind,
        "title": expectation.title,
        "rule": expectation.rule,
        "rule_name": expectation.rule_name,
        "where": expectation.where,
        "phase": expectation.phase,
        "tasks": list(expectation.tasks) if expectation.tasks is not None else None,
        "share": expectation.share,
        "tolerance": expectation.tolerance,
    }


def _note_json(problem: Problem) -> dict[str, Any]:
    return {
        "severity": problem.severity,
        "where": str(problem.location),
        "path": problem.path,
        "message": problem.message,
        "code": problem.code,
    }
