"""The commands of the admin API, carried out by a real Envoy: a change of rules, phase or levels becomes a new
generation of its routes (chaos/engines/envoy/measured.py)."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from chaos.engines.envoy.access_log import Connection, Started, read_line
from chaos.engines.envoy.bootstrap import Message
from chaos.engines.envoy.listeners import Further
from chaos.engines.envoy.measured import Exported, Files, Generation, discovery
from chaos.errors import EnvironmentFailed, InvalidInput
from chaos.gateway.process.options import GatewayOptions
from chaos.mesh.compile.rules import Rules
from chaos.protocol.counters import FaultedBatch, GatewayCounters
from chaos.runner.envoy.interface import Interface, Statistics
from chaos.runner.envoy.ledger import EnvoyLedger
from chaos.runner.in_generations import GenerationControl

CHANGE = 20.0  # seconds in which Envoy has to take up new routes
LOG = 5.0  # seconds in which its access log has to tell of what its statistics have
POLL = 0.005
REFUSED = "Envoy refuses the configuration that they become; its log says why"


class EnvoyControl(GenerationControl):
    """The controls of one Envoy. `start` has to be called once its files are to be read."""

    def __init__(self, rules: Rules, options: GatewayOptions, files: Files, listen: tuple[str, int], further: Further):
        super().__init__(rules, options)
        self._files, self._listen, self._further = files, listen, further
        self._exported = Exported(rules, listen, further)
        self._rules: list[tuple[str, str]] = []
        self._ledger = EnvoyLedger(self._rules)
        self._interface = Interface(files.admin)
        self._began = time.monotonic()
        self._clusters: list[Message] = []
        self._listeners: list[Message] = []
        self._read = asyncio.Event()

    # ---------------------------------------------------------------- the process
    def prepare(self) -> None:
        """Write the files that Envoy starts with."""
        _write(self._files.bootstrap, self._exported.bootstrap(self._files))
        self._write_clusters()
        self._write_listeners()
        self._write_routes()

    async def accepts(self) -> dict[str, int]:
        """Return the ports that it accepts requests at, by the names of its listeners; none while it starts. Raises
        EnvironmentFailed if it has refused its configuration."""
        if not self._files.admin.exists():
            return {}
        with suppress(EnvironmentFailed):
            if (await self._interface.statistics()).refused:
                raise InvalidInput.at("rules", REFUSED)
            ports = await self._interface.ports()
            return ports if len(ports) == 1 + len(self._further.doors) and all(ports.values()) else {}
        return {}

    async def follow(self, lines: asyncio.StreamReader) -> None:
        """Read the access log to its end."""
        while line := await lines.readline():
            said = read_line(line)
            if said is None:
                continue
            if isinstance(said, Started):
                self._ledger.started(said)
            elif isinstance(said, Connection):
                self._ledger.connection(said, self._in_force.counted_under)
                self._read.set()
            else:
                self._ledger.over(said)
                self._read.set()

    # ---------------------------------------------------------------- what others read
    async def counters(self) -> GatewayCounters:
        """Return the counts, once the access log has told of every request that is over now.

        Raises EnvironmentFailed if it does not: then the statistics and the log contradict each other."""
        statistics = await self._interface.statistics()
        await self._wait_for_log(lambda: self._ledger.ended >= statistics.ended)
        await self._wait_for_log(lambda: self._ledger.connections >= statistics.opened - statistics.open)
        if statistics.active == 0:
            self._compare(statistics)
        return {
            "generation": self._in_force.generation,
            "seconds": time.monotonic() - self._began,
            "workers": self.workers,
            "connections": statistics.connections,
            "cpu_seconds": 0.0,
            "phases": self._ledger.as_json(),
            "unmatched": self._ledger.unmatched,
            "by_hand": self._in_force.by_hand(),
        }

    async def _wait_for_log(self, told: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(LOG):
                while not told():
                    self._read.clear()
                    await self._read.wait()
        except TimeoutError:
            raise EnvironmentFailed("Envoy's access log lacks requests, or connections, of its statistics") from None

    def _compare(self, statistics: Statistics) -> None:
        """Raise EnvironmentFailed if the log has other faults than the statistics, where nothing was in flight and
        nothing has come since."""
        ledger = self._ledger
        if ledger.ended != statistics.ended:
            return
        for name, counted, told in (
            ("aborts", statistics.aborted, ledger.aborted),
            ("delays", statistics.delayed, ledger.delayed),
        ):
            if counted != told:
                message = f"Envoy's statistics have {counted} {name}, its access log has {told}"
                raise EnvironmentFailed(message)

    async def faulted(self, after: int) -> FaultedBatch:
        found = self._ledger.faulted.since(after)
        return {"faulted": found, "next": max(after, 0) + len(found), "total": self._ledger.faulted.total}

    # ---------------------------------------------------------------- changes
    async def replace(self, text: str | None) -> int:
        """Compile new rules and put them in force. Raises InvalidInput, and then the old ones stay."""
        rules = await self._read_rules(text)
        exported, before = Exported(rules, self._listen, self._further), (self._exported, self._in_force.rules)

        def use() -> None:
            self._exported = exported
            self._in_force.use(rules)

        try:
            await self._change(use)
        except InvalidInput:
            self._exported, self._in_force.rules = before
            raise
        self._source = text or ""
        return self._in_force.generation

    async def _change(self, change: Callable[[], None]) -> None:
        """Change what is in force, and wait until Envoy has taken it up. Raises InvalidInput if it refuses it."""
        async with self._changing:
            change()
            if self._exported.clusters() != self._clusters:
                await self._taken_up(self._write_clusters)
            self._number_rules()
            if self._exported.listeners(self._indexes()) != self._listeners:
                await self._taken_up(self._write_listeners)
            await self._taken_up(self._write_routes)

    async def _taken_up(self, write: Callable[[], None]) -> None:
        before = await self._interface.statistics()
        write()
        try:
            async with asyncio.timeout(CHANGE):
                while (now := await self._interface.statistics()).changes == before.changes:
                    if now.refused > before.refused:
                        raise InvalidInput.at(
                            "rules", "Envoy refuses the configuration that they become; its log says why"
                        )
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise EnvironmentFailed(f"Envoy did not take up new routes within {CHANGE:g} s") from None

    def _write_clusters(self) -> None:
        """Write the clusters of the rules."""
        self._clusters = self._exported.clusters()
        self._numbers += 1
        _write(self._files.clusters, discovery(self._numbers, self._clusters))

    def _write_listeners(self) -> None:
        """Write the listeners for connections, which break those of before only where their rules change."""
        self._number_rules()
        self._listeners = self._exported.listeners(self._indexes())
        self._numbers += 1
        _write(self._files.listeners, discovery(self._numbers, self._listeners))

    def _write_routes(self) -> None:
        """Write a new generation of routes."""
        self._number_rules()
        self._numbers += 1
        made = Generation(self._numbers, self._in_force.counted_under, self._in_force.drawn())
        self._ledger.know(made)
        _write(self._files.routes, discovery(made.number, self._exported.routes(made, self._indexes())))

    def _number_rules(self) -> None:
        """Give each rule that has no index the next one."""
        known = dict(self._rules)
        named = [(rule.key, rule.name) for rule, _ in self._in_force.rules.listing()]
        named += [(rule.key, rule.name) for rule in self._exported.connection_rules]
        self._rules += [each for each in named if each[0] not in known]

    def _indexes(self) -> dict[str, int]:
        return {key: index for index, (key, _) in enumerate(self._rules)}


def _write(path: Path, document: Message) -> None:
    """Write a file whole: Envoy takes up what is moved to the path that it watches."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(document), "utf-8")
    os.replace(fresh, path)
