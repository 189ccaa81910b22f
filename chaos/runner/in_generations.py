"""What is in force in a proxy that takes up whole sets of faults, one generation after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chaos.faults import RuleFault
from chaos.gateway.state.in_force import InForce
from chaos.units import MILLION, Percent


class InGenerations(InForce):
    """What is in force, from which a generation is made when it is asked for."""

    def apply(self) -> None:
        """Do nothing: whoever changes it sends a new generation."""

    def drawn(self) -> dict[str, Sequence[RuleFault]]:
        """Return the faults of every rule, as they are to be drawn."""
        scale, changed = self.scale_in_force(), self.changed_faults()
        return {
            rule.key: [
                _scaled(fault, scale[fault.kind]) for fault in changed.get(rule.key, self.rules.faults(rule.key))
            ]
            for rule, _ in self.rules.listing()
        }


def _scaled(fault: RuleFault, factor: float) -> RuleFault:
    return replace(fault, percent=Percent(min(MILLION, round(fault.percent.per_million * factor))))
