"""The commands that a running gateway takes, from the admin API or from a parent process.

`Control` is one worker in this process. `workers.Fleet` offers the same for several."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from chaos.errors import EnvironmentFailed
from chaos.gateway.process.options import GatewayOptions
from chaos.gateway.state.in_force import RuleSet
from chaos.gateway.state.worker_state import WorkerState
from chaos.gateway.telemetry.access_log import AccessLog
from chaos.protocol.counters import FaultedBatch, FaultsInForce, GatewayCounters, PhaseSettings, RulesInForce
from chaos.protocol.fault_levels import Levels


class Controls(Protocol):
    """What the admin API needs of a gateway, be it one process or several."""

    workers: int

    async def generation(self) -> int: ...
    async def accepting(self) -> bool: ...
    async def counters(self) -> GatewayCounters: ...
    async def faulted(self, after: int) -> FaultedBatch: ...
    async def rules(self) -> RulesInForce: ...
    async def source(self) -> str: ...
    async def replace(self, text: str | None) -> int:
        """Replace the rules by this text, or by the files' present content if None. Returns the new generation.

        Raises InvalidInput, and then the old rules stay in force in every worker."""
        ...

    async def faults(self) -> FaultsInForce:
        """Return whether faults are on, and the levels of every rule."""
        ...

    async def switch_faults(self, enabled: bool) -> None: ...
    async def set_levels(self, key: str, levels: Levels) -> None:
        """Change levels of a rule's faults; those not named stay as they are. {} gives the rule its own back."""
        ...

    async def phase(self) -> PhaseSettings: ...
    async def enter_phase(self, name: str, faults: bool, scale: dict[str, float]) -> None: ...
    async def reopen_logs(self) -> int:
        """Open the access log again, in every worker. Returns how many logs that were, 0 or 1.

        Raises EnvironmentFailed if that fails; the old files are then written to as before."""
        ...


class Control:
    """The commands, for one worker in this process."""

    workers = 1

    def __init__(self, worker: WorkerState, options: GatewayOptions, access_log: AccessLog | None = None):
        self.worker = worker
        self._access_log = access_log
        self._options = options
        self._source = ""
        self._next: tuple[RuleSet, str] | None = None

    async def generation(self) -> int:
        return self.worker.generation

    async def accepting(self) -> bool:
        return not self.worker.draining

    async def counters(self) -> GatewayCounters:
        return self.worker.counters()

    async def faulted(self, after: int) -> FaultedBatch:
        found = self.worker.faulted.since(after)
        return {"faulted": found, "next": max(after, 0) + len(found), "total": self.worker.faulted.total}

    async def rules(self) -> RulesInForce:
        return {"generation": self.worker.generation, "rules": self.worker.rules_in_force()}

    async def source(self) -> str:
        return self._source or await asyncio.to_thread(self._options.documents)

    async def replace(self, text: str | None) -> int:
        await self.prepare(text)
        return self.commit()

    async def prepare(self, text: str | None) -> None:
        """Compile the rules in a thread, while requests go on. Raises InvalidInput."""
        load: Callable[[], RuleSet] = self._options.load
        rules = await (asyncio.to_thread(load) if text is None else asyncio.to_thread(self._options.parse, text))
        self._next = rules, text or ""

    def commit(self) -> int:
        """Put the prepared rules in force, from the next request on. Returns the new generation."""
        assert self._next is not None
        rules, self._source = self._next
        self._next = None
        self.worker.use(rules)
        return self.worker.generation

    async def faults(self) -> FaultsInForce:
        return self.worker.faults_in_force()

    async def switch_faults(self, enabled: bool) -> None:
        self.worker.switch(enabled)

    async def set_levels(self, key: str, levels: Levels) -> None:
        now = self.worker.levels
        self.worker.set_levels({**now, key: {**now.get(key, {}), **levels} if levels else {}})

    async def phase(self) -> PhaseSettings:
        return self.worker.phase_in_force()

    async def enter_phase(self, name: str, faults: bool, scale: dict[str, float]) -> None:
        self.worker.enter(name, faults=faults, scale=scale)

    async def reopen_logs(self) -> int:
        found = await self.reopened()
        if found:
            raise EnvironmentFailed(found)
        return int(self._access_log is not None)

    async def reopened(self) -> str:
        """Open the access log again, if there is one. Returns why that failed, or ""."""
        return "" if self._access_log is None else await self._access_log.reopen()


async def perform(control: Control, command: dict[str, Any]) -> Any:
    """Carry out a command that came from the parent process as JSON. Returns its result, as JSON."""
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
        case "faults?":
            return await control.faults()
        case "faults":
            await control.switch_faults(command["enabled"])
            return None
        case "levels":
            await control.set_levels(command["key"], command["levels"])
            return None
        case "phase?":
            return await control.phase()
        case "reopen":
            return await control.reopened()
        case "phase":
            await control.enter_phase(command["name"], command["faults"], command["scale"])
            return None
    raise AssertionError(f"unknown command {command['do']!r}")
