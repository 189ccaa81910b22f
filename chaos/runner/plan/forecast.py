"""What `chaos plan` tells: the outcomes that the rules bring about, and what a verdict on each claim takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from chaos.claims.effects import Effect, PhaseEffects, ReplyKind
from chaos.claims.expected_outcomes import ExpectedOutcome, expected_outcomes
from chaos.claims.judge.forecast import PlanLine
from chaos.printable import printable_line
from chaos.runner.terminal.summary import number, percent
from chaos.units import format_duration


@dataclass(frozen=True, slots=True)
class RuleForecast:
    """What one rule does in one phase to the requests of `tasks`, which is None for calls of others than the load.

    `abort` and `delay` are fractions, None where no such fault is on; `destinations` and `mirrors` are names with
    their shares; `outcomes` are all that can occur, and their shares add up to 1."""

    phase: str
    key: str
    name: str
    where: str
    tasks: tuple[str, ...] | None
    abort: float | None
    abort_status: int
    delay: float | None
    delay_seconds: float
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
            abort=effect.abort_share if phase.faults else None,
            abort_status=effect.abort_status,
            delay=effect.delay_share if phase.faults else None,
            delay_seconds=effect.delay,
            destinations=effect.destinations,
            mirrors=effect.mirrors,
            timeout=effect.timeout,
            reply=effect.reply,
            reply_status=effect.reply_status,
            outcomes=expected_outcomes(effect, faults=phase.faults),
        )


@dataclass(frozen=True, slots=True)
class ClaimForecast:
    """What a verdict on one claim takes: requests of the whole load by which half (`median`) and nine in ten of all
    runs have it, None where that depends on how often the upstream fails.

    `share` is the part of the load that the claim is about, `deviation` the smallest one that so many requests would
    show; both are fractions. `unseen` says why the run cannot see it at all, and is empty when it can."""

    id: str
    title: str
    share: float
    median: int | None
    nine_in_ten: int | None
    deviation: float | None
    unseen: str = ""

    @classmethod
    def of(cls, line: PlanLine) -> ClaimForecast:
        expectation = line.expectation
        about = " ".join(part for part in (expectation.phase, expectation.rule_name or expectation.task) if part)
        title = f"{about}  {expectation.title}".strip()
        return cls(expectation.id, title, line.share, line.median, line.nine_in_ten, line.deviation, expectation.unseen)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an experiment will show, before anything runs; print it to read it.

    `confidence` and `tolerance` are fractions. `rate` is requests per second as they are to be expected, `seconds`
    how long the slowest verdict takes at that rate; None when that cannot be told."""

    name: str
    description: str
    confidence: float
    tolerance: float
    rules: tuple[RuleForecast, ...]
    claims: tuple[ClaimForecast, ...]
    rate: float
    seconds: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `chaos plan --format json` prints them."""
        return asdict(self)

    def __str__(self) -> str:
        """The lines of `chaos plan`."""
        return "\n".join(printable_line(line) for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.name}: {' '.join(self.description.split())}".rstrip(": ")
        for rule in self.rules:
            yield from _rule(rule)
        yield from ("", f"a verdict at {self.confidence * 100:g} % confidence needs, of the whole load,")
        width = max((len(each.title) for each in self.claims), default=0)
        yield from (f"  {claim.title:{width}}   {_needs(claim)}" for claim in self.claims)
        if self.seconds is not None:
            rate, seconds = number(round(self.rate)), format_duration(round(self.seconds, 1))
            yield from ("", f"at about {rate} requests/s that is {seconds}")


def _rule(rule: RuleForecast) -> Iterator[str]:
    phase = f"{rule.phase}: " if rule.phase else ""
    tasks = ", ".join(rule.tasks) if rule.tasks is not None else "calls that are not the load's own"
    yield from ("", f"{phase}{rule.name or 'no rule'}   {rule.where}", f"  requests: {tasks}")
    for outcome in rule.outcomes:
        yield f"  {percent(outcome.share):>8}   {_outcome(outcome)}"


def _outcome(outcome: ExpectedOutcome) -> str:
    words = [f"status {outcome.status}" if outcome.status is not None else "the upstream's answer"]
    words += [f"from {outcome.destination}"] if outcome.destination else []
    words += [f"{format_duration(outcome.delay)} late"] if outcome.delay else []
    words += [f"({outcome.fault})"] if outcome.fault else []
    return " ".join(words)


def _needs(claim: ClaimForecast) -> str:
    if claim.unseen:
        return f"not judged: {claim.unseen}"
    if claim.median is None or claim.nine_in_ten is None:
        return "as many as the upstream's own failures ask for"
    seen = f"   shows a deviation of {claim.deviation * 100:.2g} points" if claim.deviation else ""
    return f"about {number(claim.median)} requests, {number(claim.nine_in_ten)} in nine of ten runs{seen}"
