"""Policies beside the claims: which requests a policy answers or ends itself, so that no rule is to blame for them.

A request that a policy answers in front of the rules is not one of theirs. One whose connection it ends leaves its
client without a response, and so without a tag: of those without one the gateway says how many were its doing, and the
rest is as unknown as ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chaos.claims.gateway_ledger import GatewayLedger
from chaos.claims.observations import Observed, Outcome
from chaos.experiment.tasks import LoadTask, request_of
from chaos.policies.compiled import Policies, Policy
from chaos.policies.fault import Fault, is_tagged


@dataclass(frozen=True, slots=True, eq=False)
class PolicyEffect:
    """One policy in one phase. `tasks` are the load tasks whose requests are among its targets; None if requests also
    come from elsewhere, so that nobody knows whose they are."""

    policy: Policy
    tasks: tuple[str, ...] | None

    @property
    def name(self) -> str:
        return self.policy.name

    @property
    def fault(self) -> Fault:
        return self.policy.fault

    def takes(self, outcome: Outcome) -> bool:
        """Return whether an outcome is of a request that it is about."""
        return self.tasks is None or outcome.task in self.tasks

    def answers(self, outcome: Outcome) -> bool:
        """Return whether it has answered a request in place of the rules, which have not seen it."""
        ahead = not self.policy.upstream and not outcome.route and outcome.status != 0
        return ahead and self.takes(outcome) and is_tagged(outcome.policy, self.name)

    def may_have_ended(self, outcome: Outcome) -> bool:
        """Return whether it may be why a request had no response, nor a tag."""
        ahead = not self.policy.upstream and outcome.status == 0 and not (outcome.policy and outcome.route)
        return ahead and outcome.error in self.fault.errors and self.takes(outcome)


def policy_effects(
    policies: Policies, tasks: Sequence[LoadTask], phase: str, *, others: bool
) -> tuple[PolicyEffect, ...]:
    """Return the policies that may be in force in a phase, each with the tasks that it is about. `others`: requests
    also come from an application or a locustfile."""
    requests = {task.name: request_of(task) for task in tasks if not task.direct}
    found = []
    for policy in policies:
        if policy.counts_in(phase):
            about = tuple(name for name, request in requests.items() if policy in policies.about(request))
            found.append(PolicyEffect(policy, None if others and not about else about))
    return tuple(found)


def answered_ahead(effects: Iterable[PolicyEffect], outcome: Outcome) -> bool:
    """Return whether a policy has answered a request in place of the rules."""
    return bool(outcome.policy) and any(each.answers(outcome) for each in effects)


def may_be_policies(effects: Iterable[PolicyEffect], outcome: Outcome) -> bool:
    """Return whether a policy may be why a request had no response."""
    return outcome.status == 0 and any(each.may_have_ended(outcome) for each in effects)


def unexplained(
    effects: Sequence[PolicyEffect],
    phase: str,
    observed: Observed,
    ledger: GatewayLedger,
    mine: Callable[[Outcome], bool],
) -> int:
    """Return how many requests without a response, which `mine` picks, policies may be to blame for and the gateway
    does not say so: more are missing than it has ended, and these may be any."""
    ending = [each for each in effects if each.fault.errors and not each.policy.upstream]
    if not ending:
        return 0
    lost = own = 0
    for outcome, count in observed:
        if outcome.phase == phase and may_be_policies(ending, outcome):
            lost += count
            own += count if mine(outcome) else 0
    told = sum(
        counts["met"] - counts["preceded"] for each in ending if (counts := ledger.policy(phase, each.name)) is not None
    )
    return max(0, min(own, lost - told))


def never_forwarded(effects: Iterable[PolicyEffect], task: str) -> bool:
    """Return whether policies answer or end every request of a task, so that no rule ever takes one."""
    return any(each.policy.takes_all for each in effects if each.tasks is not None and task in each.tasks)
