"""Compute the outcomes that a rule should give its requests, with their probabilities, and the delays in their latency.

The probabilities follow from the rule alone: delay and abort are drawn independently, then the destination. The status
of an upstream's response is not predicted; how often an attempt fails there may be given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from chaos.claims.effects import Effect


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
    found = [
        replace(ended, share=share * ended.share, fault=_both(fault, ended.fault), delay=delay)
        for share, fault, delay in _delays(effect, faults)
        for ended in _endings(effect, faults, failing)
        if share * ended.share > 0
    ]
    return tuple(sorted(found, key=lambda outcome: -outcome.share))


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


def _both(delay: str, abort: str) -> str:
    return ",".join(part for part in (delay, abort) if part)


def _delays(effect: Effect, faults: bool) -> list[tuple[float, str, float]]:
    share = (effect.delay_share or 0.0) if faults else 0.0
    return [(1 - share, "", 0.0), (share, "delay", effect.delay)]


def _endings(effect: Effect, faults: bool, failing: float | None) -> list[ExpectedOutcome]:
    """Return the abort and the outcomes of the requests that are not aborted."""
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
    """Return an outcome per number of attempts. With q = `failing`, the n-th attempt is the first that succeeds with
    probability q^(n-1) (1-q); all fail with q^(attempts + 1)."""
    if failing is None:
        return [ExpectedOutcome(1.0, None)]
    attempts = effect.retries.attempts if effect.retries else 0
    good = [ExpectedOutcome(failing**n * (1 - failing), None, tries=n + 1) for n in range(attempts + 1)]
    left = ExpectedOutcome(residual_share(failing, attempts), None, tries=attempts + 1, exhausted=True)
    return [*good, left]
