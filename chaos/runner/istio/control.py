"""The commands of the admin API, carried out by a running Istio: a change of phase, rules or levels becomes a new
generation of the overlay (chaos/engines/istio/overlay.py)."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from chaos.engines.istio.overlay import Generation
from chaos.engines.istio.targets import asked
from chaos.errors import InvalidInput, Problem
from chaos.gateway.process.options import GatewayOptions
from chaos.mesh.compile.rules import Rules
from chaos.protocol.counters import FaultedBatch, GatewayCounters
from chaos.runner.in_generations import GenerationControl
from chaos.runner.istio.probes import Probes


class Installed(Protocol):
    """What a run has in the mesh."""

    async def put(self, rules: Rules, generation: Generation) -> Collection[str]: ...

    def problems(self, rules: Rules) -> list[Problem]: ...


class IstioControl(GenerationControl):
    """The controls of one run in a mesh. It counts nothing: what was drawn is said by the tags on responses."""

    def __init__(
        self,
        rules: Rules,
        options: GatewayOptions,
        installation: Installed,
        probes: Probes,
        deeper: Iterable[str] = (),
    ):
        super().__init__(rules, options)
        self._deeper = frozenset(deeper)
        self._installation, self._probes = installation, probes
        self._began = time.monotonic()

    async def begin(self) -> None:
        """Put the first generation there, and wait until it is in force. Raises InvalidInput and EnvironmentFailed."""
        await self._change(lambda: None)

    # ---------------------------------------------------------------- what others read
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

    # ---------------------------------------------------------------- changes
    async def replace(self, text: str | None) -> int:
        """Put the faults of other rules in force. Raises InvalidInput, and then the old ones stay."""
        rules = await self._read_rules(text)
        if problems := self._installation.problems(rules):
            raise InvalidInput(problems)
        await self._change(lambda: self._in_force.use(rules))
        self._source = text or ""
        return self._in_force.generation

    async def _change(self, change: Callable[[], None]) -> None:
        """Change what is in force, and wait until the mesh has taken it up."""
        async with self._changing:
            change()
            rules = self._in_force.rules
            assert isinstance(rules, Rules)
            self._numbers += 1
            made = Generation(self._numbers, self._in_force.counted_under, self._in_force.drawn(), self._deeper)
            await self._probes.wait_for(made.number, asked(await self._installation.put(rules, made)))
