"""What can be asked of a running gateway, whether it is one process or several: the admin API's other half.

`Control` is one worker in this process. `workers.Fleet` offers the same for several."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from chaos.gateway.process.options import GatewayOptions
from chaos.gateway.state.worker_state import RuleSet, WorkerState
from chaos.protocol.counters import FaultedBatch, GatewayCounters, RulesInForce


class Controls(Protocol):
    workers: int

    async def generation(self) -> int: ...
    async def accepting(self) -> bool: ...
    async def counters(self) -> GatewayCounters: ...
    async def faulted(self, after: int) -> FaultedBatch: ...
    async def rules(self) -> RulesInForce: ...
    async def source(self) -> str: ...
    async def replace(self, text: str | None) -> int:
        """Rules from this text, or from the files again; all or nothing. The new generation. Raises InvalidInput."""
        ...

    async def switch_faults(self, enabled: bool) -> None: ...
    async def enter_phase(self, name: str, faults: bool, scale: dict[str, float]) -> None: ...


class Control:
    workers = 1

    def __init__(self, plane: WorkerState, options: GatewayOptions):
        self.plane = plane
        self._options = options
        self._source = ""
        self._next: tuple[RuleSet, str] | None = None

    async def generation(self) -> int:
        return self.plane.generation

    async def accepting(self) -> bool:
        return not self.plane.draining

    async def counters(self) -> GatewayCounters:
        return self.plane.counters()

    async def faulted(self, after: int) -> FaultedBatch:
        found = self.plane.faulted.since(after)
        return {"faulted": found, "next": max(after, 0) + len(found), "total": self.plane.faulted.total}

    async def rules(self) -> RulesInForce:
        return {"generation": self.plane.generation, "rules": self.plane.rules_in_force()}

    async def source(self) -> str:
        return self._source or await asyncio.to_thread(self._options.documents)

    async def replace(self, text: str | None) -> int:
        await self.prepare(text)
        return self.commit()

    async def prepare(self, text: str | None) -> None:
        """Compiles the rules; requests go on meanwhile."""
        load: Callable[[], RuleSet] = self._options.load
        rules = await (asyncio.to_thread(load) if text is None else asyncio.to_thread(self._options.parse, text))
        self._next = rules, text or ""

    def commit(self) -> int:
        """What was prepared is in force for the next request."""
        assert self._next is not None
        rules, self._source = self._next
        self._next = None
        self.plane.use(rules)
        return self.plane.generation

    async def switch_faults(self, enabled: bool) -> None:
        self.plane.switch(enabled)

    async def enter_phase(self, name: str, faults: bool, scale: dict[str, float]) -> None:
        self.plane.enter(name, faults=faults, scale=scale)


async def perform(control: Control, command: dict[str, Any]) -> Any:
    """A command as it comes from the parent process."""
    match command["do"]:
        case "counters":
            return await control.counters()
        case "faulted":
            return await control.faulted(command["after"])
        case "rules":
            return await control.rules()
        case "source":
            return await control.source()
        case "prepare":
            await control.prepare(command["text"])
            return None
        case "commit":
            return control.commit()
        case "faults":
            await control.switch_faults(command["enabled"])
            return None
        case "phase":
            await control.enter_phase(command["name"], command["faults"], command["scale"])
            return None
    raise AssertionError(f"unknown command {command['do']!r}")
