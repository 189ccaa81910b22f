"""Which requests of a worker meet the faults of policies, and the counts of that.

A policy is drawn for while it is in force: in its phase, after and for as long as it says. Its counts are kept by
phase, as a rule's are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from chaos.mesh.decision import Draws, Request
from chaos.policies.choosers import Chooser
from chaos.policies.compiled import NO_POLICIES, Policies, Policy
from chaos.policies.fault import Answer, Happening
from chaos.policies.steps import End
from chaos.protocol.counters import PolicyCounters
from chaos.units import Percent

NOTHING: Mapping[str, Percent] = MappingProxyType({})


class PolicyLedger:
    """A policy in one phase: its counts."""

    __slots__ = ("counts", "policy")

    def __init__(self, policy: Policy):
        self.policy = policy
        self.counts = PolicyCounters(targeted=0, met=0, full=0, left=0, left_met=0, preceded=0)


@dataclass(frozen=True, slots=True)
class Met:
    """A policy that a request is about, and what becomes of it: None if it is spared."""

    ledger: PolicyLedger
    happening: Happening | None

    @property
    def policy(self) -> Policy:
        return self.ledger.policy

    @property
    def instead(self) -> Answer | End | None:
        """What becomes of the request in place of being forwarded."""
        return None if self.happening is None else self.happening.instead

    def acts(self, first: Met | None) -> bool:
        """Return whether its fault happens to the request, and count it if another policy is before it: of those that
        answer or end a request the `first` does so, and a response that never begins passes no stage."""
        if self.happening is None:
            return False
        never = first is not None and isinstance(first.instead, End)
        if self is not first and (self.instead is not None or (never and self.happening.stage is not None)):
            self.ledger.counts["preceded"] += 1
            return False
        return True

    def count_left(self) -> None:
        """Count a client that left before it could see anything."""
        self.ledger.counts["left"] += 1
        self.ledger.counts["left_met"] += self.happening is not None


class Policing:
    """The policies of one worker. `now` is its clock, in seconds."""

    def __init__(self, now: Callable[[], float]):
        self.policies = NO_POLICIES
        self._now = now
        self._on = True
        self._phase = self._counted_under = ""
        self._began: float | None = None  # a phase begins with its first request, for its clients as well
        self._choosers: dict[str, Chooser | None] = {}  # of the phase, by the policy's name
        self._percents: Mapping[str, Percent] = {}  # set by hand, by the policy's name
        self._active: dict[str, int] = {}
        self._ledgers: dict[str, dict[str, PolicyLedger]] = {}

    @property
    def any(self) -> bool:
        """Whether there are policies."""
        return bool(self.policies)

    def use(self, policies: Policies) -> None:
        """Put these policies in force. Counts go on by name, and so do the choosers of faults that stay as they are."""
        before = {each.name: each.fault for each in self.policies}
        same = {each.name for each in policies if before.get(each.name) == each.fault}
        self._choosers = {name: chooser for name, chooser in self._choosers.items() if name in same}
        self.policies = policies
        for phase in self._ledgers.values():
            for policy in policies:
                if policy.name in phase:
                    old, new = phase[policy.name], PolicyLedger(policy)
                    new.counts = old.counts
                    phase[policy.name] = new

    def enter(
        self, phase: str, *, counted_under: str, on: bool, anew: bool, by_hand: Mapping[str, Percent] = NOTHING
    ) -> None:
        """Have the policies of this phase in force, and count under a name that may be another; `anew`: the phase
        begins now. Without `on` no fault happens; `by_hand` has other shares for some policies, by name."""
        self._percents = by_hand
        self._on, self._phase, self._counted_under = on, phase, counted_under
        if anew:
            self._began = None
            self._choosers.clear()

    def meet(self, request: Request, draws: Draws) -> list[Met]:
        """Return the policies in force in front of the rules that are about a request, and count it."""
        return list(self._met(request, draws, upstream=False, again=""))

    def attempt(self, request: Request, draws: Draws, number: int) -> list[Met]:
        """Return the policies in force beneath the retries that are about a request, for its `number`th attempt."""
        return list(self._met(request, draws, upstream=True, again=f"attempt {number} "))

    def _met(self, request: Request, draws: Draws, *, upstream: bool, again: str) -> Iterator[Met]:
        if not self._on:
            return
        if self._began is None:
            self._began = self._now()
        seconds = self._now() - self._began
        for policy in self.policies.about(request):
            if policy.upstream is upstream and policy.counts_in(self._phase) and policy.in_force(seconds):
                yield self._draw(policy, draws, again, seconds)

    def _draw(self, policy: Policy, draws: Draws, again: str, seconds: float) -> Met:
        ledger = self._ledger(policy)
        ledger.counts["targeted"] += 1
        dice, chooser = policy.dice(draws, again), self._chooser(policy)
        drawn = policy.drawn(dice, self._percents.get(policy.name))
        meets = drawn and (chooser is None or chooser.meets(seconds - policy.when.after, dice))
        if meets and policy.spec.max_active is not None and self._active.get(policy.name, 0) >= policy.spec.max_active:
            ledger.counts["full"] += 1
            meets = False
        if not meets:
            return Met(ledger, None)
        ledger.counts["met"] += 1
        self._active[policy.name] = self._active.get(policy.name, 0) + 1
        fault = policy.fault
        return Met(ledger, fault.attempt(dice) if policy.upstream else fault.happen(dice))

    def release(self, met: Met) -> None:
        """Note that a request is no longer under a fault that it has met."""
        self._active[met.policy.name] -= 1

    def _chooser(self, policy: Policy) -> Chooser | None:
        if policy.name not in self._choosers:
            self._choosers[policy.name] = policy.fault.chooser()
        return self._choosers[policy.name]

    def _ledger(self, policy: Policy) -> PolicyLedger:
        phase = self._ledgers.setdefault(self._counted_under, {})
        found = phase.get(policy.name)
        if found is None:
            found = phase[policy.name] = PolicyLedger(policy)
        return found

    def as_json(self) -> dict[str, dict[str, PolicyCounters]]:
        """Return the counts by phase and name, as the admin API gives them."""
        return {
            phase: {name: ledger.counts.copy() for name, ledger in ledgers.items()}
            for phase, ledgers in self._ledgers.items()
        }
