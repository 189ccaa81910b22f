"""The gateway's counts of each policy beside what was configured and what users saw."""

from __future__ import annotations

from dataclasses import dataclass

from chaos import formatting as words
from chaos.claims.finding import Finding
from chaos.journal.result import Result
from chaos.protocol.counters import PolicyCounters

HEADINGS = ("Requests", "Met it", "Spared", "Left", "Configured", "Drawn", "Seen by users")


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One policy in one phase; `what` it does, and when."""

    phase: str
    name: str
    what: str
    cells: tuple[str, ...]


def policy_ledgers(result: Result) -> tuple[PolicyRow, ...]:
    """Return the policies of each phase with the gateway's counts of them; empty without policies."""
    counted = result.counters.get("policies", {}) if result.counters else {}
    planned = {(each["phase"], each["name"]): each for each in result.plan.policies}
    said = {each["name"]: _what(each["sentence"], each["limits"]) for each in result.plan.policies}
    configured = {each["name"]: each["share"] for each in result.plan.policies}
    shares = [each for each in reversed(result.findings) if is_policy(each) and each.unit == "share"]
    claims = {(each.phase, each.rule.removeprefix("policy/")): each for each in shares}
    ran = {(phase, name) for phase, policies in counted.items() for name in policies}
    made = []
    for phase, name in dict.fromkeys([*planned, *sorted(ran)]):
        plan = planned.get((phase, name))
        counts, claim = counted.get(phase, {}).get(name), claims.get((phase, name))
        share = configured.get(name) if plan is None or plan["on"] else 0.0
        if claim is not None and claim.configured is not None:
            share = claim.configured  # of a policy that chooses by order another than that of its percentage
        cells = (*_counts(counts), words.NONE if share is None else words.exact(share, "share"))
        made.append(PolicyRow(phase, name, said.get(name, ""), (*cells, _drawn(counts), _seen(claim))))
    return tuple(made)


def is_policy(finding: Finding) -> bool:
    """Return whether a claim is about a policy."""
    return finding.rule.startswith("policy/")


def _what(sentence: str, limits: str) -> str:
    return f"{sentence}, {limits}" if limits else sentence


def _counts(counts: PolicyCounters | None) -> tuple[str, ...]:
    if counts is None:
        return (words.NONE,) * 4
    return tuple(words.count(number) for number in (counts["targeted"], counts["met"], counts["full"], counts["left"]))


def _drawn(counts: PolicyCounters | None) -> str:
    if counts is None or not counts["targeted"]:
        return words.NONE
    return words.share(counts["met"] / counts["targeted"])


def _seen(finding: Finding | None) -> str:
    if finding is None or finding.observed is None:
        return words.NONE
    share = words.share(finding.observed.share, words.spread(finding.interval))
    return f"{share} of {words.count(finding.observed.n)}"
