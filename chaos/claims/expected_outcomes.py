"""Compute the outcomes that a rule should give its requests, with their probabilities, and the delays in their latency.

The probabilities follow from the rule alone: delay and abort are drawn independently, then the destination. The status
of an upstream's response is not predicted; how often an attempt fails there may be given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import assert_never

from chaos.claims.effects import Effect
from chaos.faults import AbortFault, DelayFault, RuleFault
from chaos.statuses import as_met


@dataclass(frozen=True, slots=True)
class ExpectedOutcome:
    """One outcome, of a `share` of the rule's requests in [0, 1]. `status` is None if the upstream decides it, `delay`
    is in seconds. `tries` is the number of attempts, None if nothing is sent upstream or failures are not predicted;
    `exhausted` means that all of them failed."""

    share: float
    status: int | None
    fault: str = ""
    destination: str = ""
    delay: float = 0.0
    tries: int | None = None
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class LatencyPart:
    """A component of the latency mixture: `share` of the requests take `added` seconds longer than without faults."""

    share: float
    added: float


def expected_outcomes(
    effect: Effect, *, faults: bool = True, failing: float | None = None
) -> tuple[ExpectedOutcome, ...]:
    """Return all outcomes of a rule that can occur, the likeliest first; their shares add up to 1.

    `failing` is the probability that one attempt fails in a way that the rule retries."""
    found = _unharmed(effect, failing)
    for fault in reversed(effect.faults if faults else ()):
        spared = [replace(each, share=each.share * (1 - fault.share)) for each in found]
        met = [replace(each, share=each.share * fault.share) for each in _met(fault, found)]
        found = [*met, *spared] if fault.ends else [*spared, *met]
    return tuple(sorted((each for each in found if each.share > 0), key=lambda outcome: -outcome.share))


def _met(fault: RuleFault, later: Sequence[ExpectedOutcome]) -> Sequence[ExpectedOutcome]:
    """Return the outcomes of requests that meet a fault; `later` are those of the requests that it spares, and their
    shares add up to 1."""
    match fault:
        case DelayFault():
            return [replace(each, fault=_both(fault.kind, each.fault), delay=fault.seconds) for each in later]
        case AbortFault():
            return [ExpectedOutcome(1.0, fault.status, fault.kind.value)]
        case _:
            assert_never(fault)


def latency_mixture(outcomes: Iterable[ExpectedOutcome]) -> tuple[LatencyPart, ...]:
    """Return the injected delays with their shares, the smallest first; requests without a delay have 0 seconds."""
    parts: dict[float, float] = {}
    for outcome in outcomes:
        parts[outcome.delay] = parts.get(outcome.delay, 0.0) + outcome.share
    return tuple(LatencyPart(share, added) for added, share in sorted(parts.items()))


def mean_delay(outcomes: Iterable[ExpectedOutcome], patience: float | None = None) -> float:
    """Return the seconds that faults add to a request on average, for clients that wait no longer than `patience`."""
    return sum(outcome.share * min(outcome.delay, patience or inf) for outcome in outcomes)


def residual_share(failing: float, attempts: int) -> float:
    """Return the share that still fails after so many retries: failing^(attempts + 1)."""
    return float(failing ** (attempts + 1))


def _both(first: str, later: str) -> str:
    return ",".join(part for part in (first, later) if part)


def _unharmed(effect: Effect, failing: float | None) -> list[ExpectedOutcome]:
    if effect.reply is not None:
        return [ExpectedOutcome(1.0, effect.reply_status)]
    if effect.unreachable or not effect.destinations:
        return [ExpectedOutcome(1.0, as_met(503, effect.grpc))]
    tried = _tries(effect, failing)
    return [
        replace(each, share=each.share * share, destination=label)
        for label, share in effect.destinations
        for each in tried
    ]


def _tries(effect: Effect, failing: float | None) -> Sequence[ExpectedOutcome]:
    """Return an outcome per number of attempts. With q = `failing`, the n-th attempt is the first that succeeds with
    probability q^(n-1) (1-q); all fail with q^(attempts + 1)."""
    if failing is None:
        return [ExpectedOutcome(1.0, None)]
    attempts = effect.retries.attempts if effect.retries else 0
    good = [ExpectedOutcome(failing**n * (1 - failing), None, tries=n + 1) for n in range(attempts + 1)]
    left = ExpectedOutcome(residual_share(failing, attempts), None, tries=attempts + 1, exhausted=True)
    return [*good, left]
