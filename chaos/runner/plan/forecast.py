"""Forecast a run for `chaos plan`: the outcomes of each rule, and the requests that each verdict needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast

from chaos.claims.effects import Effect, PhaseEffects, ReplyKind
from chaos.claims.expected_outcomes import ExpectedOutcome, expected_outcomes
from chaos.claims.hypotheses.forecast import HypothesisLine
from chaos.claims.judge.forecast import PlanLine
from chaos.faults import RuleFault
from chaos.formatting import plain_count, plain_share
from chaos.policies.described import record
from chaos.printable import printable_line
from chaos.protocol.plan_record import FaultRecord, PolicyEffect, RuleEffect
from chaos.statuses import shown
from chaos.units import format_duration


@dataclass(frozen=True, slots=True)
class RuleForecast:
    """What one rule does in one phase to the requests of `tasks`, which is None for requests from others than the load.

    `faults` are those that are on; `destinations` and `mirrors` are names with their shares; `outcomes` are all that
    can occur, and their shares add up to 1."""

    phase: str
    key: str
    name: str
    where: str
    tasks: tuple[str, ...] | None
    faults: tuple[RuleFault, ...]
    destinations: tuple[tuple[str, float], ...]
    mirrors: tuple[tuple[str, float], ...]
    timeout: float | None
    reply: ReplyKind | None
    reply_status: int
    outcomes: tuple[ExpectedOutcome, ...]

    @classmethod
    def of(cls, phase: PhaseEffects, effect: Effect) -> RuleForecast:
        return cls(
            phase=phase.name,
            key=effect.key,
            name=effect.name,
            where=effect.where,
            tasks=effect.tasks,
            faults=effect.faults if phase.faults else (),
            destinations=effect.destinations,
            mirrors=effect.mirrors,
            timeout=effect.timeout,
            reply=effect.reply,
            reply_status=effect.reply_status,
            outcomes=expected_outcomes(effect, faults=phase.faults),
        )

    def to_dict(self) -> RuleEffect:
        """Return plain values, as the journal's first record has them."""
        faults = [
            FaultRecord(kind=fault.kind.value, share=fault.share, parameters=fault.parameters) for fault in self.faults
        ]
        return cast(RuleEffect, asdict(self) | {"faults": faults})


def policies_in(phase: PhaseEffects) -> Iterator[PolicyEffect]:
    """Yield what each policy does in one phase, as the journal's first record has it."""
    for each in phase.policies:
        tasks = None if each.tasks is None else list(each.tasks)
        yield PolicyEffect(**record(each.policy), phase=phase.name, tasks=tasks, on=phase.faults)


@dataclass(frozen=True, slots=True)
class ClaimForecast:
    """The requests that a verdict on one claim needs: those of the whole load by which half (`median`) and nine in ten
    of all runs have it, None if that depends on what is behind the rules.

    `share` is the part of the load that the claim applies to, `deviation` the smallest one that so many requests would
    reveal; both are fractions. `unseen` is the reason why the run cannot observe it at all, empty if it can. Of a
    hypothesis, the requests are those that it takes if everything behind the rules works; `at_least`: no run has its
    verdict earlier, and what is behind the rules may make it later."""

    id: str
    title: str
    share: float
    median: int | None
    nine_in_ten: int | None
    deviation: float | None
    unseen: str = ""
    at_least: bool = False

    @classmethod
    def of_hypothesis(cls, line: HypothesisLine) -> ClaimForecast:
        text = line.expression.text
        return cls(text, text, line.share, line.median, line.nine_in_ten, None, at_least=line.at_least)

    @classmethod
    def of(cls, line: PlanLine) -> ClaimForecast:
        expectation = line.expectation
        about = " ".join(part for part in (expectation.phase, expectation.rule_name or expectation.task) if part)
        title = f"{about}  {expectation.title}".strip()
        return cls(expectation.id, title, line.share, line.median, line.nine_in_ten, line.deviation, expectation.unseen)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an experiment is expected to show, before anything runs; print it to read it.

    `confidence` and `tolerance` are fractions. `rate` is the expected requests per second, from a rate that was
    `measured` without faults, or assumed. `seconds` is how long the slowest verdict takes at that rate, with the
    seconds of the `warm_up`; None if it depends on the upstream. `unreached` says of each rule that no request reaches
    why it is so. `engine` is a sentence on what carries out the rules, empty for the gateway of ours. `policies` has
    what each FaultPolicy does, phase by phase, as plain values."""

    name: str
    description: str
    confidence: float
    tolerance: float
    rules: tuple[RuleForecast, ...]
    claims: tuple[ClaimForecast, ...]
    rate: float
    seconds: float | None
    measured: bool = False
    unreached: tuple[str, ...] = ()
    warm_up: float = 0.0
    engine: str = ""
    policies: tuple[PolicyEffect, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `chaos plan --format json` prints them."""
        return asdict(self) | {"rules": [rule.to_dict() for rule in self.rules]}

    def __str__(self) -> str:
        """Return the text that `chaos plan` prints."""
        return "\n".join(printable_line(line) for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.name}: {' '.join(self.description.split())}".rstrip(": ")
        for policy in self.policies:
            yield from _policy(policy)
        for rule in self.rules:
            yield from _rule(rule, past=any(_takes_from(policy, rule) for policy in self.policies))
        if self.unreached:
            yield from ("", "no request reaches, so that the run ends with exit code 6 (verify.unreached allows it):")
            yield from (f"  {sentence}" for sentence in self.unreached)
        yield from ("", f"a verdict at {self.confidence * 100:g} % confidence needs, of the whole load,")
        width = max((len(each.title) for each in self.claims), default=0)
        yield from (f"  {claim.title:{width}}   {_needs(claim)}" for claim in self.claims)
        if self.seconds is not None:
            rate, seconds = plain_count(round(self.rate)), format_duration(round(self.seconds, 1))
            how = "as measured without faults" if self.measured else "assumed"
            after = f", with {format_duration(self.warm_up)} of warm-up" if self.warm_up else ""
            yield from ("", f"at about {rate} requests/s ({how}) that is {seconds}{after}")
        elif self.warm_up:
            yield from ("", f"before that come {format_duration(self.warm_up)} of warm-up, which no verdict counts")
        if self.engine:
            yield from ("", self.engine)


def _rule(rule: RuleForecast, *, past: bool) -> Iterator[str]:
    """Yield what a rule does; `past`: policies end some of its tasks' requests before it."""
    phase = f"{rule.phase}: " if rule.phase else ""
    tasks = ", ".join(rule.tasks) if rule.tasks is not None else "calls that are not the load's own"
    let_pass = ", what policies let pass" if past else ""
    yield from ("", f"{phase}{rule.name or 'no rule'}   {rule.where}", f"  requests: {tasks}{let_pass}")
    for outcome in rule.outcomes:
        yield f"  {plain_share(outcome.share):>8}   {_outcome(outcome)}"


def _takes_from(policy: PolicyEffect, rule: RuleForecast) -> bool:
    """Return whether a policy ends requests that would have taken a rule."""
    return (
        policy["ends"]
        and policy["on"]
        and policy["phase"] == rule.phase
        and (rule.tasks is None or policy["tasks"] is None or not set(policy["tasks"]).isdisjoint(rule.tasks))
    )


def _policy(policy: PolicyEffect) -> Iterator[str]:
    phase = f"{policy['phase']}: " if policy["phase"] else ""
    tasks = ", ".join(policy["tasks"]) if policy["tasks"] is not None else "calls that are not the load's own"
    limits = f", {policy['limits']}" if policy["limits"] else ""
    off = "" if policy["on"] else " (faults are off)"
    yield from ("", f"{phase}policy {policy['name']}   {policy['where']}", f"  requests: {tasks or 'none'}")
    yield f"  {policy['sentence']}{limits}{off}"


def _outcome(outcome: ExpectedOutcome) -> str:
    words = [f"status {shown(outcome.status)}" if outcome.status is not None else "the upstream's response"]
    words += [f"from {outcome.destination}"] if outcome.destination else []
    words += [f"{format_duration(outcome.delay)} late"] if outcome.delay else []
    words += [f"({outcome.fault})"] if outcome.fault else []
    return " ".join(words)


def _needs(claim: ClaimForecast) -> str:
    if claim.unseen:
        return f"not judged: {claim.unseen}"
    if claim.median is None or claim.nine_in_ten is None:
        return "depends on what is behind the rules"
    if claim.at_least:
        return f"at least {plain_count(claim.median)} requests"
    works = " if what is behind the rules works" if claim.deviation is None and claim.id == claim.title else ""
    seen = f"   shows a deviation of {claim.deviation * 100:.2g} points" if claim.deviation else ""
    return (
        f"about {plain_count(claim.median)} requests, {plain_count(claim.nine_in_ten)} in nine of ten runs{seen}{works}"
    )
