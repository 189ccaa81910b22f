"""The plan of one run, complete before its processes start, and everything that is computed from it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from chaos.claims.effects import PhaseEffects
from chaos.claims.expectation import Expectation
from chaos.claims.finding import Finding
from chaos.claims.hypotheses.fault_levels import as_text
from chaos.claims.hypotheses.forecast import HypothesisLine, hypothesis_line
from chaos.claims.hypotheses.measure import Expression
from chaos.claims.hypotheses.measures import metric_of
from chaos.claims.hypotheses.reading import hosts_of
from chaos.claims.hypotheses.safeguards import Safeguard
from chaos.claims.hypotheses.unseen import Unseen, behind, either, uncounted
from chaos.claims.judge.forecast import PlanLine, expected_rate
from chaos.claims.judge.judge import divide
from chaos.claims.judge.run_judge import RunJudge
from chaos.errors import Problem, Severity
from chaos.experiment.credentials import command_without_credentials, credentials_of, without_credentials
from chaos.experiment.feeder import Feeder
from chaos.experiment.model import Load
from chaos.experiment.redaction import Redaction, credentials_in
from chaos.experiment.services import Addresses, ServicePlan, proxy_of
from chaos.experiment.tasks import LoadTask, recorded, with_headers
from chaos.formatting import listed, plural
from chaos.journal.records import Plan
from chaos.mesh.compile.rules import Rules
from chaos.mesh.names import full_name
from chaos.protocol.digest import WARM_UP
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.protocol.load_workers import Joining
from chaos.protocol.plan_record import PhaseInPlan, PolicyEffect
from chaos.runner.plan.calls import described
from chaos.runner.plan.checked import Prepared
from chaos.runner.plan.forecast import ClaimForecast, Forecast, RuleForecast, policies_in
from chaos.runner.plan.gateway_rules import gateway_plan
from chaos.runner.plan.load_hosts import gateway_address
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.outlook import mean_wait
from chaos.runner.plan.phase_rules import own_values, with_rules
from chaos.runner.plan.phases import RunPhase, Stop
from chaos.runner.plan.records import environment, expectation_json, note_json
from chaos.runner.plan.search import SearchPlan
from chaos.runner.processes.load_messages import load_plan

SAMPLE = 0.25
BUDGET = 10
MOST_NAMED = 8  # claims in one line
HOLD_SLACK = 1.0
"""Seconds beyond the longest response time that the rules cause; after that, counts no longer wait for a response."""


@dataclass(frozen=True, slots=True, eq=False)
class RunPlan:
    """One planned run. Shares are fractions, times are seconds. `load` is the experiment's, with as many users as the
    verdicts take if it does not say; `joining` is how its workers join, if they do; `lines` are the forecasts of
    `expected`; `silent` are findings about rules that no task takes."""

    prepared: Prepared
    options: RunOptions
    load: Load
    joining: Joining | None
    rules: Rules
    tasks: tuple[LoadTask, ...]
    phases: tuple[RunPhase, ...]
    effects: tuple[PhaseEffects, ...]
    expected: tuple[Expectation, ...]
    lines: tuple[PlanLine, ...]
    hypotheses: tuple[Expression, ...]
    safeguards: tuple[Safeguard, ...]
    search: SearchPlan | None
    silent: tuple[Finding, ...]
    notes: tuple[Problem, ...]
    seed: int

    @property
    def name(self) -> str:
        return self.prepared.reading.name

    @property
    def file(self) -> str:
        return self.prepared.reading.file

    @property
    def description(self) -> str:
        return self.prepared.reading.experiment.spec.description

    @property
    def gateway(self) -> str | None:
        return self.options.gateway

    @property
    def started(self) -> Prepared:
        """The experiment with the services that the run starts: none where a running mesh has them."""
        return self.prepared if self.options.engine.mesh is None else replace(self.prepared, services=ServicePlan())

    @property
    def confidence(self) -> float:
        return self.prepared.reading.experiment.spec.verify.confidence / 100

    @property
    def tolerance(self) -> float:
        return self.prepared.reading.experiment.spec.verify.tolerance / 100

    @property
    def longest_answer(self) -> float:
        """The longest that the rules themselves make a request take: delay, then the timeout if there is one. In
        seconds, at most 60."""
        found = [effect.delay + min(effect.timeout or 0.0, 10.0) for each in self.effects for effect in each.effects]
        if self.search is not None and self.search.quantity.in_seconds:
            found.append(self.search.to)
        return min(max(found, default=0.0), 60.0)

    def judge(self) -> RunJudge:
        """Return a new judge of the run."""
        safeguards = [Safeguard(each.expression, each.hold_for) for each in self.safeguards]
        hypotheses = self.hypotheses
        return RunJudge(
            self.expected,
            hypotheses,
            safeguards,
            hosts=hosts_of(self.rules),
            silent=self.silent,
            confidence=self.confidence,
            tagged=self.gateway is None,
            unseen=self._unseen(),
        )

    def _unseen(self) -> Unseen:
        found = behind([task.name for task in self.tasks if task.direct])
        return found if self.options.engine.counts else either(found, uncounted)

    def level_judge(self, plan: SearchPlan, phase: RunPhase, confidence: float) -> RunJudge:
        """Return the judge of one level of a search, which judges its hypothesis alone, in that phase."""
        hold = plan.hold
        right = replace(hold.right, phase=phase.name) if hold.right is not None else None
        text = f"{phase.name}: {hold.text}"  # so that the levels have different names, in the report's curves as well
        there = replace(hold, text=text, left=replace(hold.left, phase=phase.name), right=right)
        return RunJudge((), (there,), hosts=hosts_of(self.rules), confidence=confidence)

    @property
    def sample(self) -> float:
        """The share of requests whose outcomes are sampled one by one, to follow faults to users; 0.0 if no measure
        needs it."""
        expressions = [*self.hypotheses, *([self.search.hold] if self.search is not None else [])]
        return SAMPLE if any(metric_of(each.left).followed for each in expressions) else 0.0

    @property
    def follows_faults(self) -> bool:
        """Whether the journal needs the ids of faulted requests: to see which users noticed them, or if an application
        sends them.

        The ids of the load's own requests follow from the seed (chaos/journal/replay.py); to record ten thousand per
        phase would take two megabytes."""
        return self.sample > 0 or any(task.direct for task in self.tasks)

    def announcements(self) -> Iterator[tuple[Severity, str]]:
        """Yield events to report before anything starts: hosts without a listed endpoint, and warnings on the rules."""
        if self.prepared.services.note:
            yield "info", self.prepared.services.note
        if not self.options.engine.seeded:
            yield "info", self.options.engine.sentence
        if self.load.users != self.prepared.reading.experiment.spec.load.users:
            yield "info", f"{self.load.users} users, as many as delayed requests take (spec.load.users says otherwise)"
        if self.gateway is not None and (unseen := [each for each in self.expected if each.unseen]):
            yield "info", f"from outside {plural(len(unseen), 'claim')} cannot be judged: {_named(unseen)}"
        if self.load.client != self.prepared.reading.experiment.spec.load.client:
            yield "info", f"the client is {self.load.client}, because tasks have https URLs (spec.load.client)"
        if self.joining is not None and self.options.hosts.token.warning:
            yield "warning", self.options.hosts.token.warning
        for problem in self.notes:
            if problem.severity == "warning":
                yield "warning", str(problem)

    def gateway_plan(self) -> GatewayPlan:
        """Return the plan for a gateway of ours, with the texts that the run was planned from."""
        listen = gateway_address(self.joining)
        options = self.options
        return gateway_plan(self.prepared, seed=self.seed, workers=options.workers, listen=listen, otel=options.otel)

    def placed_tasks(self, addresses: Addresses) -> tuple[LoadTask, ...]:
        """Return the tasks with the real addresses of applications under test in their URLs."""
        applications = self.prepared.services.applications()
        namespace = proxy_of(self.prepared.reading).namespace
        placed = []
        for task in self.tasks:
            found = applications.get(full_name(task.host, namespace)) if task.direct else None
            if found is not None:
                host, port = found.address or addresses[found.key]
                task = replace(task, url=urlunsplit(urlsplit(task.url)._replace(netloc=f"{host}:{port}")))
            placed.append(with_headers(task, self.options.engine.headers))
        return tuple(placed)

    @property
    def compared_tasks(self) -> frozenset[str]:
        """The tasks of whose responses a policy changes the bodies."""
        changed = (each for phase in self.effects for each in phase.policies if each.fault.changes)
        return frozenset(name for each in changed for name in each.tasks or ())

    def described_tasks(self, addresses: Addresses) -> tuple[LoadTask, ...]:
        """Return the tasks as a load has them: at their addresses, and gRPC calls with what describes their services.
        It may wait for servers that are asked for that. Raises InvalidInput."""
        tasks = self.placed_tasks(addresses)
        if all(task.call is None for task in tasks):
            return tasks
        return described(self.prepared.reading, tasks, self.prepared.registry(addresses))

    @property
    def recorded_tasks(self) -> tuple[LoadTask, ...]:
        """The tasks as the journal has them: without what came from the environment, and without credentials."""
        return tuple(recorded(task) for task in self.tasks)

    @property
    def feeder(self) -> Feeder | None:
        """The rows for the tasks, with the columns that they name; None without a feeder."""
        read = self.prepared.reading.feeder
        if read is None:
            return None
        return read.feeder.only(column for task in self.tasks if task.fed is not None for column in task.fed.columns)

    @property
    def recorded_feeder(self) -> str | None:
        """What the journal has of the feeder: which file it was, and none of its values."""
        read = self.prepared.reading.feeder
        return None if read is None else read.described

    def redaction(self) -> Redaction:
        """Return what writes names in place of the environment's values, and hides credentials, in other texts of the
        journal."""
        reading = self.prepared.reading
        targets = {task.target: task.written.target for task in self.tasks if task.written is not None}
        sent = (credentials_in(task.headers.items()) for task in self.tasks)
        hidden = chain(*sent, *map(credentials_of, reading.texts.values()))
        token = [self.joining.token] if self.joining is not None and self.joining.token else []
        return Redaction(reading.used, targets, tuple(dict.fromkeys([*hidden, *token])))

    def load_extra(self) -> dict[str, Any]:
        """Return the fields of the load's plan that are not in spec.load: an exact number of requests, the web UI, the
        phase to count under."""
        only = self.phases[0] if len(self.phases) == 1 and self.search is None and not self.load.warmup else None
        return {
            "requests": only.stop.requests if only is not None else None,
            "ui": self.options.ui,
            "phase": self.phases[0].name if self.warm_up is None else self.warm_up.name,
            "tags": self.gateway is None,
            "sample": self.sample,
            "waits": self.waits,
            "hold": self.longest_answer + HOLD_SLACK,
            "otel": self.options.otel,
        }

    @property
    def waits(self) -> bool:
        """Whether the load waits until somebody starts it in the web UI: one that ends as soon as everything is decided
        would be over before anybody has opened the page."""
        return self.options.ui is not None and any(phase.stop.decided for phase in self.phases)

    @property
    def first(self) -> RunPhase:
        """The phase in which verdicts begin. A search begins with faults off, before its first level."""
        return self.phases[0] if self.search is None else RunPhase("start", faults=False)

    @property
    def warm_up(self) -> RunPhase | None:
        """The stretch before the first phase, which is like it; None without `load.warmup`."""
        if not self.load.warmup:
            return None
        return replace(self.first, name=WARM_UP, stop=Stop(False, self.load.warmup))

    def level(self, plan: SearchPlan, level: float) -> RunPhase:
        """Return the phase of one level of a search, with its documents."""
        return with_rules(self.prepared, plan.phase(level), self.rules, ("spec", "search", "vary")).phase

    def own_text(self) -> str:
        """Return the experiment's own Istio documents as YAML, to be put back in force."""
        return as_text(own_values(self.prepared))

    def rule_forecasts(self) -> tuple[RuleForecast, ...]:
        """Return what each rule does, phase by phase."""
        return tuple(RuleForecast.of(each, effect) for each in self.effects for effect in each.effects)

    def policy_effects(self) -> tuple[PolicyEffect, ...]:
        """Return what each policy does, phase by phase."""
        return tuple(policy for each in self.effects for policy in policies_in(each))

    @property
    def _weights(self) -> dict[str, float]:
        return {task.name: float(task.weight) for task in self.tasks}

    def _hypothesis_lines(self) -> list[HypothesisLine]:
        alpha = divide(self.confidence, self.expected, len(self.hypotheses))[-1] if self.hypotheses else 0.0
        return [hypothesis_line(each, self.effects, self._weights, alpha) for each in self.hypotheses]

    def budget(self, phase: RunPhase) -> int | None:
        """Return after how many requests `until: decided` gives up a phase: BUDGET times what nine of ten runs need.

        None when the phase ends otherwise, or has a claim of which nobody knows beforehand what it needs."""
        stop = phase.stop
        if not stop.decided or stop.duration is not None or stop.requests is not None or self.hypotheses:
            return None
        lines = [line for line in self.lines if line.expectation.phase == phase.name]
        needed = [line.nine_in_ten for line in lines if not line.expectation.unseen]
        if not needed or None in needed or self.search is not None:
            return None
        return BUDGET * max(each for each in needed if each is not None)

    def forecast(self, busiest: float | None = None) -> Forecast:
        """Return the forecast for `chaos plan`: expected outcomes per rule, and the requests that each verdict needs.

        `busiest` is how many requests per second the users send without delays, if it was measured."""
        load = self.load
        wait = mean_wait(self.effects[0], self._weights)
        rate = expected_rate(load.users, wait, load.arrival_rate, busiest)
        claims = (
            *(ClaimForecast.of(line) for line in self.lines),
            *(ClaimForecast.of_hypothesis(line) for line in self._hypothesis_lines()),
        )
        needed = [claim.nine_in_ten for claim in claims if claim.nine_in_ten is not None]
        return Forecast(
            name=self.name,
            description=self.description,
            confidence=self.confidence,
            tolerance=self.tolerance,
            rules=self.rule_forecasts(),
            claims=claims,
            rate=rate,
            measured=busiest is not None,
            seconds=(load.warmup or 0.0) + max(needed) / rate if needed else None,
            warm_up=load.warmup or 0.0,
            unreached=tuple(finding.sentence for finding in self.silent),
            engine=self.options.engine.sentence,
            policies=self.policy_effects(),
        )

    def plan_record(self, run: str) -> Plan:
        reading, redact = self.prepared.reading, self.redaction()
        return Plan(
            run=run,
            name=self.name,
            file=self.file,
            description=self.description,
            documents={file: without_credentials(text) for file, text in reading.texts.items()},
            seed=self.seed,
            command=command_without_credentials((*self.options.command[:2], self.file, *self.options.command[2:])),
            engine=self.options.engine.title,
            started=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            confidence=self.confidence,
            tolerance=self.tolerance,
            load={
                **asdict(load_plan(self.load, self.recorded_tasks, gateway=self.gateway or "", seed=self.seed)),
                "feeder": self.recorded_feeder,
            },
            environment=environment(),
            rules=tuple(each.to_dict() for each in self.rule_forecasts()),
            policies=self.policy_effects(),
            phases=tuple(PhaseInPlan(name=phase.name, faults=phase.faults) for phase in self.phases),
            expectations=tuple(expectation_json(each) for each in self.expected),
            notes=tuple(note_json(problem, redact) for problem in self.notes),
        )


def _named(claims: Sequence[Expectation]) -> str:
    """Return the names of claims, of many the first."""
    names = [f"{each.rule_name} {each.title}".strip() for each in claims]
    more = len(names) - MOST_NAMED
    return listed(names if more <= 0 else [*names[:MOST_NAMED], f"{more} more"])
