"""The commands of the admin API, carried out by a running Istio: a change of phase, rules or levels becomes a new
generation of the overlay (chaos/engines/istio/overlay.py)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from chaos.engines.istio.overlay import Generation
from chaos.engines.istio.targets import targets
from chaos.errors import InvalidInput
from chaos.gateway.process.options import GatewayOptions
from chaos.mesh.compile.rules import Rules
from chaos.protocol.counters import FaultedBatch, FaultsInForce, GatewayCounters, PhaseSettings, RulesInForce
from chaos.protocol.fault_levels import Levels
from chaos.runner.in_generations import InGenerations
from chaos.runner.istio.probes import Probes


class Installed(Protocol):
    """What a run has in the mesh."""

    async def put(self, rules: Rules, generation: Generation) -> None: ...


class IstioControl:
    """The controls of one run in a mesh. It counts nothing: what was drawn is said by the tags on responses."""

    workers = 1

    def __init__(self, rules: Rules, options: GatewayOptions, installation: Installed, probes: Probes):
        self._options, self._installation, self._probes = options, installation, probes
        self._in_force = InGenerations(rules)
        self._began = time.monotonic()
        self._numbers = 0
        self._changing = asyncio.Lock()
        self._source = ""
        self._in_force.use(rules)

    async def begin(self) -> None:
        """Put the first generation there, and wait until it is in force. Raises InvalidInput and EnvironmentFailed."""
        await self._change(lambda: None)

    # ---------------------------------------------------------------- what others read
    async def generation(self) -> int:
        return self._in_force.generation

    async def accepting(self) -> bool:
        return True

    async def counters(self) -> GatewayCounters:
        return {
            "generation": self._in_force.generation,
            "seconds": time.monotonic() - self._began,
            "workers": self.workers,
            "connections": 0,
            "cpu_seconds": 0.0,
            "phases": {},
            "unmatched": 0,
            "by_hand": self._in_force.by_hand(),
        }

    async def faulted(self, after: int) -> FaultedBatch:
        return {"faulted": [], "next": max(after, 0), "total": 0}

    async def rules(self) -> RulesInForce:
        return {"generation": self._in_force.generation, "rules": self._in_force.rules_in_force()}

    async def source(self) -> str:
        return self._source or await asyncio.to_thread(self._options.documents)

    async def faults(self) -> FaultsInForce:
        return self._in_force.faults_in_force()

    async def phase(self) -> PhaseSettings:
        return self._in_force.phase_in_force()

    # ---------------------------------------------------------------- changes
    async def replace(self, text: str | None) -> int:
        """Put the faults of other rules in force. Raises InvalidInput, and then the old ones stay."""
        if text is None:
            rules = await asyncio.to_thread(self._options.load)
        else:
            rules = await asyncio.to_thread(self._options.parse, text)
        assert isinstance(rules, Rules)
        _selectable(rules)
        await self._change(lambda: self._in_force.use(rules))
        self._source = text or ""
        return self._in_force.generation

    async def switch_faults(self, enabled: bool) -> None:
        await self._change(lambda: self._in_force.switch(enabled))

    async def set_levels(self, key: str, levels: Levels) -> None:
        now = self._in_force.levels
        wanted = {**now, key: {**now.get(key, {}), **levels} if levels else {}}
        await self._change(lambda: self._in_force.set_levels(wanted))

    async def enter_phase(self, name: str, faults: bool, scale: dict[str, float]) -> None:
        await self._change(lambda: self._in_force.enter(name, faults=faults, scale=scale))

    async def _change(self, change: Callable[[], None]) -> None:
        """Change what is in force, and wait until the mesh has taken it up."""
        async with self._changing:
            change()
            rules = self._in_force.rules
            assert isinstance(rules, Rules)
            found, _ = targets(rules, ())
            self._numbers += 1
            made = Generation(self._numbers, self._in_force.counted_under, self._in_force.drawn())
            await self._installation.put(rules, made)
            await self._probes.wait_for(made.number, list(dict.fromkeys(each.virtual_host for each in found)))


def _selectable(rules: Rules) -> None:
    """Raise InvalidInput for rules with faults that an overlay cannot select."""
    _, problems = targets(rules, [info.key for info in rules.rules if info.faults])
    if problems:
        raise InvalidInput(problems)
