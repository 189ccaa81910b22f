"""What is in force in a proxy that takes up whole sets of faults, one generation after the other, and the commands of
the admin API that change it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace

from chaos.faults import RuleFault
from chaos.gateway.process.options import GatewayOptions
from chaos.gateway.state.in_force import InForce
from chaos.mesh.compile.rules import Rules
from chaos.protocol.counters import FaultsInForce, PhaseSettings, RulesInForce
from chaos.protocol.fault_levels import Levels
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


class GenerationControl(ABC):
    """The commands of the admin API that are the same for every such proxy."""

    workers = 1

    def __init__(self, rules: Rules, options: GatewayOptions):
        self._options = options
        self._in_force = InGenerations(rules)
        self._numbers = 0
        self._changing = asyncio.Lock()
        self._source = ""
        self._in_force.use(rules)

    @abstractmethod
    async def _change(self, change: Callable[[], None]) -> None:
        """Change what is in force, and wait until the proxy has taken it up. Raises InvalidInput if it refuses it, and
        EnvironmentFailed if it does not answer."""

    async def generation(self) -> int:
        return self._in_force.generation

    async def accepting(self) -> bool:
        return True

    async def rules(self) -> RulesInForce:
        return {"generation": self._in_force.generation, "rules": self._in_force.rules_in_force()}

    async def source(self) -> str:
        return self._source or await asyncio.to_thread(self._options.documents)

    async def faults(self) -> FaultsInForce:
        return self._in_force.faults_in_force()

    async def phase(self) -> PhaseSettings:
        return self._in_force.phase_in_force()

    async def _read_rules(self, text: str | None) -> Rules:
        """Return the rules of a text, or of the files as they are now. Raises InvalidInput."""
        if text is None:
            rules = await asyncio.to_thread(self._options.load)
        else:
            rules = await asyncio.to_thread(self._options.parse, text)
        assert isinstance(rules, Rules)
        return rules

    async def switch_faults(self, enabled: bool) -> None:
        await self._change(lambda: self._in_force.switch(enabled))

    async def set_levels(self, key: str, levels: Levels) -> None:
        now = self._in_force.levels
        wanted = {**now, key: {**now.get(key, {}), **levels} if levels else {}}
        await self._change(lambda: self._in_force.set_levels(wanted))

    async def reopen_logs(self) -> int:
        return 0  # no log is ours

    async def enter_phase(self, name: str, faults: bool, scale: dict[str, float]) -> None:
        await self._change(lambda: self._in_force.enter(name, faults=faults, scale=scale))
