"""What is in force in a gateway: the rules, the phase, and what somebody has set by hand.

Whoever serves requests by it, a worker of ours or another proxy beside us, says in `apply` what a change means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from chaos.faults import FaultKind, RuleFault
from chaos.mesh.decision import Decision, Draws, Request, Rule
from chaos.mesh.names import full_name
from chaos.policies.compiled import Policy, policies_of
from chaos.protocol.counters import FaultsInForce, PhaseSettings, RuleFaults, RuleInForce
from chaos.protocol.digest import BY_HAND
from chaos.protocol.fault_levels import PERCENTAGE, Levels, at_levels, levels_of, show_level, write_levels
from chaos.units import Percent


class RuleSet(Protocol):
    """What the gateway needs of compiled rules (chaos/mesh/compile/rules.py)."""

    @property
    def server_name(self) -> bytes:
        """The `server` header of replies."""

    @property
    def replaces_request_ids(self) -> bool:
        """Whether upstream gets an x-request-id of the gateway's own in place of the client's, as from an Istio
        gateway."""

    def decide(self, request: Request, draws: Draws) -> Decision: ...

    def listing(self) -> Sequence[tuple[Rule, Sequence[str]]]:
        """Return every rule with the hosts it applies to."""

    def faults(self, key: str) -> tuple[RuleFault, ...]:
        """Return the faults of the rule with this key, none if there is no such rule."""

    def with_faults(self, faults: Mapping[str, tuple[RuleFault, ...]]) -> RuleSet:
        """Return the same rules with other percentages or delays for some, by key."""


class InForce(ABC):
    """Rules by which requests are decided, and how the phase and somebody's hand change their faults.

    `generation` counts the changes of rules."""

    rules: RuleSet

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.levels: dict[str, dict[str, float]] = {}  # set by hand, by rule key
        self.generation = 0
        self.scale: dict[str, float] = {}
        self.faults = self._entered_with = True
        self._entered = ""

    @abstractmethod
    def apply(self) -> None:
        """Put what has changed in force, from the next request on."""

    def use(self, rules: RuleSet) -> None:
        """Put these rules in force, as they are written: levels set by hand end."""
        self.rules, self.levels = rules, {}
        self.generation += 1
        self.apply()

    def enter(self, name: str, *, faults: bool = True, scale: dict[str, float] | None = None) -> None:
        """Make and count decisions under this phase from now on; `scale` multiplies fault probabilities. What was set
        by hand ends."""
        self._entered, self._entered_with = name, faults
        self.scale, self.levels, self.faults = scale or {}, {}, faults
        self.apply()

    def switch(self, faults: bool) -> None:
        """Switch all faults on or off."""
        self.faults = faults
        self.apply()

    def set_levels(self, levels: Mapping[str, Levels]) -> None:
        """Let the faults of rules, by key, have these levels in place of their own; {} gives all their own back."""
        written = {key: self.own_levels(key) for key in levels}
        self.levels = {
            key: differing
            for key, own in written.items()
            if (differing := {name: level for name, level in levels[key].items() if own.get(name, level) != level})
        }
        self.apply()

    def own_levels(self, key: str) -> dict[str, float]:
        """Return the levels that a rule, or a policy, has by itself; none for an unknown key."""
        policy = next((each for each in policies_of(self.rules) if each.key == key), None)
        if policy is not None:
            return {PERCENTAGE: policy.percent.per_million / 10000}
        return levels_of(self.rules.faults(key))

    @property
    def counted_under(self) -> str:
        """The phase under which decisions are counted: BY_HAND while faults are not as the phase and the rules have
        them, because they say nothing of its rules."""
        return BY_HAND if self.levels or self.faults != self._entered_with else self._entered

    def scale_in_force(self) -> dict[FaultKind, float]:
        """Return the factor of each kind of fault: that of the phase, 0.0 while faults are off."""
        return {kind: self.scale.get(kind, 1.0) if self.faults else 0.0 for kind in FaultKind}

    def changed_faults(self) -> dict[str, tuple[RuleFault, ...]]:
        """Return the faults of the rules whose levels were set by hand, by key."""
        changed = {key: levels for key, levels in self.levels.items() if PERCENTAGE not in levels}
        return {key: at_levels(self.rules.faults(key), levels) for key, levels in changed.items()}

    def changed_policies(self) -> dict[str, Percent]:
        """Return the shares of the policies that were set by hand, by name."""
        policies = ((each, self.levels.get(each.key)) for each in policies_of(self.rules)) if self.levels else ()
        return {each.name: Percent.of(levels[PERCENTAGE]) for each, levels in policies if levels}

    def by_hand(self) -> list[str]:
        """Return what is other than the phase and the rules have it, each as `chaos ctl` says it."""
        switched = [f"faults {'on' if self.faults else 'off'}"] if self.faults != self._entered_with else []
        names = {rule.key: rule.name for rule, _ in self.rules.listing()} if self.levels else {}
        return switched + [
            f"{names.get(key, key)}.{name}={show_level(name, level)}".replace(" %", "")
            for key, levels in self.levels.items()
            for name, level in levels.items()
        ]

    def phase_in_force(self) -> PhaseSettings:
        """Return the phase as `PUT /phase` set it."""
        return {"name": self._entered, "faults": self._entered_with, "scale": {**self.scale}}

    def faults_in_force(self) -> FaultsInForce:
        """Return the levels of every rule and policy as `GET /faults` shows them."""
        rules: list[RuleFaults] = []
        for rule in (*self.rules_in_force(), *map(_listed, policies_of(self.rules))):
            own = self.own_levels(rule["key"])
            now = own | self.levels.get(rule["key"], {})
            rules.append({**rule, "levels": write_levels(now), "configured": write_levels(own)})
        return {"enabled": self.faults, "by_hand": self.by_hand(), "rules": rules}

    def rules_in_force(self) -> list[RuleInForce]:
        """Return the rules as `GET /rules` shows them."""
        return [
            {"key": rule.key, "name": rule.name, "where": str(rule.location or ""), "hosts": list(hosts)}
            for rule, hosts in self.rules.listing()
        ]


def _listed(policy: Policy) -> RuleInForce:
    """Return a policy as rules are listed; its name is its key, so that it is no rule's."""
    hosts = list(dict.fromkeys(full_name(target.host, policy.namespace) for target in policy.spec.targets))
    return {"key": policy.key, "name": policy.key, "where": str(policy.location), "hosts": hosts}
