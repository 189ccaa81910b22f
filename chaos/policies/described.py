"""Say of a policy what it is, to people and to programs: in explanations, plans, journals and reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from chaos.policies.compiled import Policy
from chaos.units import format_duration


class PolicyRecord(TypedDict):
    """A policy: `share` is the fraction of its requests that meet the fault, `errors` those with which it may leave
    clients without a response; `limits` says when it is in force and for how many requests at a time; `ends`: a request
    that meets it takes no rule."""

    key: str
    name: str
    where: str
    kind: str
    sentence: str
    limits: str
    share: float
    scope: str
    errors: list[str]
    ends: bool


def record(policy: Policy) -> PolicyRecord:
    """Return a policy as JSON has it."""
    return PolicyRecord(
        key=policy.key,
        name=policy.name,
        where=str(policy.location),
        kind=policy.fault.kind,
        sentence=policy.sentence,
        limits=limits(policy),
        share=policy.percent.fraction,
        scope=policy.spec.scope,
        errors=list(policy.fault.errors),
        ends=policy.fault.ends and not policy.upstream,
    )


def limits(policy: Policy) -> str:
    """Return when it is in force, and for how many requests at a time: `in phase storm, from 5s on, for 10s`; empty if
    always, for any number."""
    return ", ".join(_limits(policy))


def _limits(policy: Policy) -> Iterator[str]:
    when = policy.when
    if when.phase:
        yield f"in phase {when.phase}"
    if when.after:
        yield f"from {format_duration(when.after)} on"
    if when.for_ is not None:
        yield f"for {format_duration(when.for_)}"
    if policy.spec.max_active is not None:
        yield f"at most {policy.spec.max_active} at a time"
