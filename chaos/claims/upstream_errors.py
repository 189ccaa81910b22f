"""Tell of responses with a status of 400 and above that are neither a rule's own nor a failure that the gateway counts.

They may be meant, so no claim is about them, and whoever reads a verdict should know of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from chaos.claims.effects import PhaseEffects
from chaos.claims.observations import Observed, Outcome
from chaos.formatting import count as thousands
from chaos.formatting import plural
from chaos.protocol.counters import GatewayCounters
from chaos.statuses import as_met, failed, shown

WORTH_TELLING = 0.01
"""Of the requests that were answered from beyond the rules, in a phase."""

STATUSES = {"UPE": 502, "UT": 504}
"""Of the gateway's own replies, by Envoy's response flag; 503 for the others."""


def upstream_errors(
    phases: Sequence[PhaseEffects], observed: Observed, counters: GatewayCounters | None
) -> Iterator[str]:
    """Yield a sentence for each phase and status that is worth telling of; nothing for phases whose failures a
    hypothesis judges. Without counters nobody knows whether it was upstream or the gateway that answered."""
    for phase in phases:
        if phase.own_failures:
            answers = _answers(phase, observed, tagged=counters is not None)
            yield from _told(phase.name, _without(answers, _own(counters, phase.name)), counters is not None)


def _answers(phase: PhaseEffects, observed: Observed, *, tagged: bool) -> Counter[int]:
    """Return how many requests were answered with each status, by upstream or in its place. What a rule retries has a
    claim of its own."""
    retries = {each.name: each.retries for each in phase.effects if each.retries is not None}
    replied = {task for each in phase.effects if each.reply is not None for task in each.tasks or ()}

    def forwarded(outcome: Outcome) -> bool:
        if outcome.phase != phase.name or not outcome.status or "abort" in outcome.fault:
            return False
        if outcome.route in retries and retries[outcome.route].retried(outcome.status):
            return False
        return bool(outcome.destination) if tagged else outcome.task not in replied

    found: Counter[int] = Counter()
    for outcome, count in observed:
        found[outcome.status] += count if forwarded(outcome) else 0
    return found


def _own(counters: GatewayCounters | None, phase: str) -> Counter[int]:
    """Return the gateway's replies in the place of upstream, which a claim of its own is about."""
    found: Counter[int] = Counter()
    for counts in counters["phases"].get(phase, {}).values() if counters is not None else ():
        for flag, count in counts["failures"].items():
            found[STATUSES.get(flag, 503)] += count
    return found


def _without(answers: Counter[int], own: Counter[int]) -> Counter[int]:
    """Return the answers without the gateway's own, which gRPC clients had as a status of theirs."""
    left = Counter(answers)
    for status, count in own.items():
        as_http = min(count, left[status])
        left[status] -= as_http
        left[as_met(status, True)] -= count - as_http
    return +left


def _told(phase: str, answers: Counter[int], tagged: bool) -> Iterator[str]:
    total, who = sum(answers.values()), "upstream itself" if tagged else "upstream or the gateway"
    for status, count in sorted(answers.items()):
        if failed(status) and count >= WORTH_TELLING * total:
            said = f"{who} answered {thousands(count)} of {plural(total, 'request')} with {shown(status)}"
            where = f"{phase}: " if phase else ""
            yield f"{where}{said}; that may be meant, so no claim is about it (verify.expect can be)"
