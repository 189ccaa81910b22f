"""What the requests of a load should meet: every outcome with its probability, and the delays mixed into their latency.

Follows from the rules alone: match order is settled by asking them (`reach`), delay and abort are drawn
independently, then the destination. What an upstream answers is its own affair; how often a try of it fails may be
given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from chaos.claims.effects import Effect


@dataclass(frozen=True, slots=True)
class ExpectedOutcome:
    """`share` of the rule's requests, in [0, 1]. `status` is None where the upstream decides, `tries` None where
    nothing is sent upstream or nothing is known of how its tries end; `delay` in seconds."""

    share: float
    status: int | None
    fault: str = ""
    destination: str = ""
    delay: float = 0.0
    tries: int | None = None
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class LatencyPart:
    """A component of the latency mixture: `share` of requests take `added` seconds more than the rest of the way."""

    share: float
    added: float


def expected_outcomes(
    effect: Effect, *, faults: bool = True, failing: float | None = None
) -> tuple[ExpectedOutcome, ...]:
    """All outcomes of a rule that can occur; their shares add up to 1. The likeliest come first.

    `failing`: the probability that one upstream try fails in a way that the rule retries."""
    found = [
        replace(ended, share=share * ended.share, fault=_both(fault, ended.fault), delay=delay)
        for share, fault, delay in _delays(effect, faults)
        for ended in _endings(effect, faults, failing)
        if share * ended.share > 0
    ]
    return tuple(sorted(found, key=lambda outcome: -outcome.share))


def latency_mixture(outcomes: Iterable[ExpectedOutcome]) -> tuple[LatencyPart, ...]:
    """How much of the latency each injected delay accounts for, from none upwards."""
    parts: dict[float, float] = {}
    for outcome in outcomes:
        parts[outcome.delay] = parts.get(outcome.delay, 0.0) + outcome.share
    return tuple(LatencyPart(share, added) for added, share in sorted(parts.items()))


def mean_delay(outcomes: Iterable[ExpectedOutcome], patience: float | None = None) -> float:
    """Return the seconds that faults add to a request on average, for clients that wait no longer than `patience`."""
    return sum(outcome.share * min(outcome.delay, patience or inf) for outcome in outcomes)


def residual_share(failing: float, attempts: int) -> float:
    """What is left of failures after so many retries: q^(attempts + 1)."""
    return float(failing ** (attempts + 1))


def _both(delay: str, abort: str) -> str:
    return ",".join(part for part in (delay, abort) if part)


def _delays(effect: Effect, faults: bool) -> list[tuple[float, str, float]]:
    share = (effect.delay_share or 0.0) if faults else 0.0
    return [(1 - share, "", 0.0), (share, "delay", effect.delay)]


def _endings(effect: Effect, faults: bool, failing: float | None) -> list[ExpectedOutcome]:
    """Abort, or what the rule does otherwise."""
    aborted = (effect.abort_share or 0.0) if faults else 0.0
    rest = [replace(each, share=each.share * (1 - aborted)) for each in _unharmed(effect, failing)]
    return [ExpectedOutcome(aborted, effect.abort_status, "abort"), *rest]


def _unharmed(effect: Effect, failing: float | None) -> list[ExpectedOutcome]:
    if effect.reply is not None:
        return [ExpectedOutcome(1.0, effect.reply_status)]
    if effect.unreachable or not effect.destinations:
        return [ExpectedOutcome(1.0, 503)]
    tried = _tries(effect, failing)
    return [
        replace(each, share=each.share * share, destination=label)
        for label, share in effect.destinations
        for each in tried
    ]


def _tries(effect: Effect, failing: float | None) -> Sequence[ExpectedOutcome]:
    """How many tries it takes: the n-th is the first good one with q^(n-1) (1-q); none is with q^(attempts + 1)."""
    if failing is None:
        return [ExpectedOutcome(1.0, None)]
    attempts = effect.retries.attempts if effect.retries else 0
    good = [ExpectedOutcome(failing**n * (1 - failing), None, tries=n + 1) for n in range(attempts + 1)]
    left = ExpectedOutcome(residual_share(failing, attempts), None, tries=attempts + 1, exhausted=True)
    return [*good, left]
